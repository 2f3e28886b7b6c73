import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent } from '../../../src/agent/agent.ts'
import { ManagerTransport } from '../../../src/agent/cluster/manager-transport.ts'
import { confiningProfiles } from '../../../src/agent/profiles/orphaned-profiles.ts'
import type { VarmorPolicy } from '../../../src/api/types.ts'
import type { Logger } from '../../../src/base/logger.ts'
import { nodeFeatures } from '../../../src/enforcer/features.ts'
import { nodeRoot } from '../../../src/enforcer/node-root.ts'
import { openLoaders } from '../../../src/enforcer/open-loaders.ts'
import { ConnectionError } from '../../../src/kube/api-error.ts'
import type { ApiClient } from '../../../src/kube/client.ts'
import { KubeConnection } from '../../../src/kube/connection.ts'
import { namespaces } from '../../../src/kube/core-objects.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { varmorPolicies } from '../../../src/kube/own-kinds.ts'
import { nodes } from '../../../src/manager/cluster-resources.ts'
import { compilePolicy } from '../../../src/profile/compile.ts'
import { compileHere } from '../../../src/profile/profile-source.ts'
import { Sandbox, type SandboxOptions } from '../../../src/sandbox/sandbox.ts'
import { until } from '../../cli/child.ts'

const node = 'guest'
export const namespace = 'demo'
export const appArmorFolder = '/etc/apparmor.d'

/** The text of a profile on the node's disk; the agent writes it after the kernel has loaded the profile. */
export function profileOnDisk(name: string): string | undefined {
  try {
    return readFileSync(join(appArmorFolder, name), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export const profileOf = (policy: string): string => `varmor-${namespace}-${policy}`

/** A policy for AppArmor. Its target does not matter, because nothing here schedules pods. */
export const policyNamed = (name: string, policy: object): VarmorPolicy =>
  ({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name, namespace },
    spec: { target: { kind: 'Deployment', name }, policy: { enforcer: 'AppArmor', ...policy } },
  }) as unknown as VarmorPolicy

/** AppArmor's profile text for a policy. */
export function textOf(policy: VarmorPolicy): string {
  const compiled = compilePolicy(policy)
  const text = compiled.ok ? compiled.value.enforcers.AppArmor?.profile : undefined
  if (text === undefined) throw new Error(`no AppArmor profile: ${JSON.stringify(compiled)}`)
  return text
}

/**
 * On a busy machine, an emulated CPU may need longer for the CRDs than a request's timeout. At the next attempt the
 * code is compiled already.
 */
export async function installed(logger: Logger, more: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  for (;;) {
    try {
      return await Sandbox.start({ nodes: 0, logger, ...more })
    } catch (error) {
      if (!(error instanceof ConnectionError) || error.code !== 'DEADLINE') throw error
    }
  }
}

/**
 * API server, manager and agent in this process. The agent's node is this guest, so policies reach the guest's kernel.
 */
export class ControlPlaneInGuest {
  readonly agent: Agent
  readonly #sandbox: Sandbox
  readonly #transport: ManagerTransport
  readonly #connection: KubeConnection
  readonly #folder: string

  private constructor(sandbox: Sandbox, parts: Pick<ControlPlaneInGuest, 'agent'> & Parts) {
    this.#sandbox = sandbox
    this.agent = parts.agent
    this.#transport = parts.transport
    this.#connection = parts.connection
    this.#folder = parts.folder
  }

  static async start(logger: Logger): Promise<ControlPlaneInGuest> {
    const sandbox = await installed(logger)
    await sandbox.client.create(namespaces, { metadata: { name: namespace } })
    await sandbox.client.create(nodes, { metadata: { name: node, labels: { 'kubernetes.io/os': 'linux' } } })
    const admitted = await sandbox.admitAgent(node)
    const folder = mkdtempSync(join(tmpdir(), 'varmor-agent-'))
    const [authority, tokenFile] = [join(folder, 'ca.crt'), join(folder, 'token')]
    writeFileSync(authority, admitted.managerAuthority)
    writeFileSync(tokenFile, admitted.token, { mode: 0o600 })
    const config = new KubeConfig()
    config.loadFromString(admitted.kubeconfig)
    const connection = new KubeConnection(config)
    const transport = new ManagerTransport({ authority, tokenFile })
    const agent = new Agent({
      ...{ connection, node, logger },
      loaders: await openLoaders(nodeFeatures(nodeRoot()), { appArmor: { folder: appArmorFolder } }),
      compile: compileHere(),
      managers: [admitted.manager],
      send: transport.send,
      confining: () => confiningProfiles(),
      ofContainers: () => new Set(),
      // The agent must check for foreign changes only when a test asks, so the timer's period is long.
      period: 3_600_000,
    })
    await agent.start()
    return new ControlPlaneInGuest(sandbox, { agent, transport, connection, folder })
  }

  get client(): ApiClient {
    return this.#sandbox.client
  }

  /** Creates or changes a policy. Resolves when the kernel has its rules. */
  async apply(policy: VarmorPolicy): Promise<void> {
    await this.set(policy)
    const wanted = textOf(policy)
    await until(async () => profileOnDisk(profileOf(policy.metadata.name)) === wanted)
  }

  /** Creates or changes a policy. */
  async set(policy: VarmorPolicy): Promise<void> {
    await this.client.apply(varmorPolicies, policy as VarmorPolicy & KubeObject, { fieldManager: 'test', force: true })
  }

  async status(policy: string): Promise<VarmorPolicy['status']> {
    return (await this.client.get(varmorPolicies, { name: policy, namespace })).status
  }

  /** Resolves when the policy is removed: then none of its rules is enforced, and its profile allows everything. */
  async remove(name: string): Promise<void> {
    await this.client.delete(varmorPolicies, { name, namespace })
    await until(async () => {
      const { items } = await this.client.list(varmorPolicies, { namespace })
      return items.every(({ metadata }) => metadata?.name !== name)
    })
  }

  async stop(): Promise<void> {
    await this.agent.stop()
    await this.#transport.close()
    await this.#connection.close()
    await this.#sandbox.stop()
    rmSync(this.#folder, { recursive: true })
  }
}

interface Parts {
  transport: ManagerTransport
  connection: KubeConnection
  folder: string
}
