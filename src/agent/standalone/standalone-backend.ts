import { existsSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { AgentSource } from '../agent.ts'
import { Containerd } from '../containers/containerd.ts'
import { ContainerdNamespaces } from '../containers/containerd-namespaces.ts'
import { Cri } from '../containers/cri.ts'
import { podNamespace } from '../containers/describe-container.ts'
import type { RuntimeContainer } from '../containers/runtime.ts'
import type { PolicyBackend, SourceParts } from '../policy-backend.ts'
import { dockerNames } from './docker-names.ts'
import { judgeStandalone } from './judge.ts'
import { policyFiles } from './policy-files.ts'
import { PolicyFolder, type PolicyFolderOptions } from './policy-folder.ts'
import { policyMemory } from './policy-memory.ts'
import { seccompRules } from './seccomp-rules.ts'
import { StandaloneConfinement } from './standalone-confinement.ts'

export interface StandaloneSideOptions {
  /** Folder of policies. */
  folder: string
  /** File that stores the policies in force for the next start. */
  memory: string
  read: PolicyFolderOptions['read']
  seccompFolder: string
  containerdSocket: string
  /** CRI socket of a runtime other than containerd; the agent then uses CRI alone. */
  criSocket?: string | undefined
  /** The containerd namespaces whose containers are followed. */
  namespaces: readonly string[]
  /** Docker's folder. */
  dockerFolder: string
  logger: Logger
}

/** When the package is removed, it creates this file before it stops the agent. */
const uninstallFile = '/run/varmor/uninstall'

/** Docker's namespace in containerd. */
const dockerNamespace = 'moby'

/** A node without a cluster, whose policies come from a folder. */
export class StandaloneBackend implements PolicyBackend {
  readonly namespace = 'varmor'
  readonly hasTenants = false
  readonly runtime: ContainerdNamespaces | Cri
  readonly confinement: StandaloneConfinement
  readonly #options: StandaloneSideOptions
  #folder: PolicyFolder | undefined

  constructor(options: StandaloneSideOptions) {
    this.#options = options
    const { containerdSocket, criSocket, namespaces, seccompFolder, logger } = options
    const describing = (namespace: string) => (container: RuntimeContainer, seccomp: unknown) =>
      this.#describe({ ...container, namespace }, seccomp)
    this.runtime =
      criSocket === undefined
        ? new ContainerdNamespaces(
            namespaces.map(
              (namespace) => new Containerd({ socket: containerdSocket, namespace, describe: describing(namespace) }),
            ),
          )
        : new Cri({ socket: criSocket, describe: describing(podNamespace) })
    this.confinement = new StandaloneConfinement({
      ...{ seccompFolder, logger },
      problems: () => this.#folder?.problems ?? [],
    })
  }

  source({ compilers }: SourceParts): AgentSource {
    const { folder, memory, read, logger } = this.#options
    const source = new PolicyFolder({
      ...{ folder, read, logger },
      files: policyFiles(folder),
      judge: (policy) => judgeStandalone(policy, compilers, this.namespace),
      memory: policyMemory(memory, this.namespace, logger),
      onChange: (policies) => this.confinement.set(policies),
      clock: systemClock,
    })
    this.#folder = source
    return { source }
  }

  async uninstalled(): Promise<boolean> {
    return existsSync(uninstallFile)
  }

  async close(): Promise<void> {
    this.runtime.close()
  }

  async #describe(container: RuntimeContainer & { namespace: string }, filter: unknown): Promise<RuntimeContainer> {
    const { id, labels, annotations, namespace } = container
    const docker = namespace === dockerNamespace ? await dockerNames(this.#options.dockerFolder, id) : undefined
    const seccomp = seccompRules(filter)
    return {
      ...container,
      // The name is from Docker, or from nerdctl, which writes it into the OCI spec. An image cannot set it there. ctr
      // uses names as ids.
      name: docker?.name ?? annotations['nerdctl/name'] ?? container.name ?? id,
      labels: { ...labels, ...docker?.labels },
      ...(seccomp !== undefined && { seccomp }),
    }
  }
}
