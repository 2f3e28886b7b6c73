import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { ClusterBackend } from '../../../../src/agent/cluster/cluster-backend.ts'
import { NodeAgent } from '../../../../src/agent/node-agent.ts'
import type { ArmorProfileModel, VarmorPolicy } from '../../../../src/api/types.ts'
import { parseRequest } from '../../../../src/audit/source/choose-source.ts'
import type { Logger } from '../../../../src/base/logger.ts'
import { isNotFound } from '../../../../src/kube/api-error.ts'
import { KubeConnection } from '../../../../src/kube/connection.ts'
import { namespaces } from '../../../../src/kube/core-objects.ts'
import type { KubeObject } from '../../../../src/kube/objects.ts'
import { armorProfileModels, varmorPolicies } from '../../../../src/kube/own-kinds.ts'
import { nodes } from '../../../../src/manager/cluster-resources.ts'
import type { Sandbox } from '../../../../src/sandbox/sandbox.ts'
import { eventually } from '../../../cluster/wait.ts'
import { appArmorFolder, installed, namespace } from '../control-plane-in-guest.ts'

const node = 'guest'
/** Milliseconds, under emulation. */
const timeout = 300_000

/** API server and manager in this process, and a complete agent on this node that reads the kernel's records. */
export class RecordingNode {
  readonly folder: string
  readonly #sandbox: Sandbox
  readonly #agent: NodeAgent
  readonly #connection: KubeConnection

  private constructor(sandbox: Sandbox, agent: NodeAgent, connection: KubeConnection, folder: string) {
    this.#sandbox = sandbox
    this.#agent = agent
    this.#connection = connection
    this.folder = folder
  }

  static async start(logger: Logger): Promise<RecordingNode> {
    const sandbox = await installed(logger, { manager: { policy: { behaviorModeling: true } } })
    await sandbox.client.create(namespaces, { metadata: { name: namespace } })
    await sandbox.client.create(nodes, { metadata: { name: node, labels: { 'kubernetes.io/os': 'linux' } } })
    const admitted = await sandbox.admitAgent(node)
    const folder = mkdtempSync(join(tmpdir(), 'varmor-recording-'))
    const [authorityFile, tokenFile] = [join(folder, 'ca.crt'), join(folder, 'token')]
    writeFileSync(authorityFile, admitted.managerAuthority)
    writeFileSync(tokenFile, admitted.token, { mode: 0o600 })
    const config = new KubeConfig()
    config.loadFromString(admitted.kubeconfig)
    const connection = new KubeConnection(config)
    const request = parseRequest('multicast', undefined)
    if (!request.ok) throw new Error(request.problems.join('; '))
    const agent = new NodeAgent({
      side: new ClusterBackend({
        ...{ connection, namespace: 'varmor', managers: [admitted.manager], tokenFile, authorityFile },
        containerdSocket: '/run/containerd/containerd.sock',
      }),
      ...{ node, logger, appArmorFolder, seccompFolder: join(folder, 'seccomp'), metadata: {} },
      pipeline: { log: join(folder, 'violations.log'), request: request.request, fromStart: false },
      health: { port: 0, host: '127.0.0.1' },
    })
    await agent.start()
    return new RecordingNode(sandbox, agent, connection, folder)
  }

  /** Path of the file of a Seccomp profile. */
  seccomp(profile: string): string {
    return join(this.folder, 'seccomp', profile)
  }

  /** Lines of violations.log with this profile's name. */
  violations(profile: string): string[] {
    const lines = readFileSync(join(this.folder, 'violations.log'), 'utf8').split('\n')
    return lines.filter((line) => line.includes(`"profileName":"${profile}"`))
  }

  async apply(policy: VarmorPolicy): Promise<void> {
    // On a slow machine, admission refuses the policy until its compilers have started.
    const options = { fieldManager: 'test', force: true, deadline: 300_000 }
    await this.#sandbox.client.apply(varmorPolicies, policy as VarmorPolicy & KubeObject, options)
  }

  /** Resolves when the policy has this phase, and its status describes its current version. */
  async reaches(name: string, phase: string): Promise<void> {
    let last: VarmorPolicy | undefined
    try {
      await eventually(
        `${name} to be ${phase}`,
        async () => {
          last = await this.#sandbox.client.get(varmorPolicies, { name, namespace })
          const { metadata, status } = last
          return status?.phase === phase && status.ready && status.observedGeneration === metadata?.generation
        },
        timeout,
      )
    } catch (error) {
      const said = { status: last?.status, agent: this.#agent.status }
      throw new Error(`${(error as Error).message}: ${JSON.stringify(said)}`, { cause: error })
    }
  }

  async model(name: string): Promise<ArmorProfileModel | undefined> {
    try {
      return await this.#sandbox.client.get(armorProfileModels, { name, namespace })
    } catch (error) {
      if (!isNotFound(error)) throw error
      return undefined
    }
  }

  async stop(): Promise<void> {
    await this.#agent.stop()
    await this.#connection.close()
    await this.#sandbox.stop()
    rmSync(this.folder, { recursive: true })
  }
}
