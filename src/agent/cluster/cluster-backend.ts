import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { ApiClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import type { AgentSource } from '../agent.ts'
import { Containerd } from '../containers/containerd.ts'
import { Cri } from '../containers/cri.ts'
import type { PolicyBackend, SourceParts } from '../policy-backend.ts'
import { ManagerTransport } from './manager-transport.ts'
import { publishedAuthority } from './published-authority.ts'
import { Uninstalled } from './uninstalled.ts'

export interface ClusterSideOptions {
  connection: Connection
  /** Namespace of vArmor, in which the managers publish their CA. */
  namespace: string
  /** Origins of managers' status servers. */
  managers: readonly [string, ...string[]]
  /** File with the agent's service account token. */
  tokenFile: string
  /** File with the managers' CA; default: the CA from the ConfigMap that the managers publish. */
  authorityFile?: string
  /** Server name in the managers' certificates, if `managers` has other names. */
  serverName?: string
  containerdSocket: string
  /** CRI socket of a runtime other than containerd; the agent then uses CRI alone. */
  criSocket?: string
}

/** A node of a cluster. */
export class ClusterBackend implements PolicyBackend {
  readonly hasTenants = true
  readonly runtime: Containerd | Cri
  readonly #options: ClusterSideOptions
  readonly #limiter = new PriorityLimiter({ qps: 5, burst: 10 })
  readonly #client: ApiClient
  readonly #transport: ManagerTransport
  readonly #uninstalled: Uninstalled

  constructor(options: ClusterSideOptions) {
    this.#options = options
    const { connection, namespace, tokenFile, authorityFile, serverName, containerdSocket, criSocket } = options
    this.runtime =
      criSocket === undefined ? new Containerd({ socket: containerdSocket }) : new Cri({ socket: criSocket })
    this.#client = new ApiClient({ connection, limiter: this.#limiter })
    this.#uninstalled = new Uninstalled(this.#client, namespace, systemClock)
    this.#transport = new ManagerTransport({
      authority: authorityFile ?? publishedAuthority(this.#client, namespace, systemClock),
      tokenFile,
      ...(serverName !== undefined && { serverName }),
    })
  }

  get namespace(): string {
    return this.#options.namespace
  }

  source({ apiObserver }: SourceParts): AgentSource {
    const { connection, managers } = this.#options
    return { connection, managers, send: this.#transport.send, ...(apiObserver !== undefined && { apiObserver }) }
  }

  get models(): NonNullable<PolicyBackend['models']> {
    return { managers: this.#options.managers, send: this.#transport.sendModel }
  }

  begin(logger: Logger): void {
    void this.#uninstalled.begin(logger)
  }

  uninstalled(doubt: (reason: string) => void): Promise<boolean> {
    return this.#uninstalled.ask(doubt)
  }

  async close(): Promise<void> {
    this.runtime.close()
    await this.#transport.close()
    this.#limiter.close()
  }
}
