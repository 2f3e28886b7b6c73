import { Agent } from '../../src/agent/agent.ts'
import { ManagerTransport } from '../../src/agent/cluster/manager-transport.ts'
import { Modellers } from '../../src/agent/modeller/modellers.ts'
import { policyOf } from '../../src/agent/profiles/wanted-profiles.ts'
import { processBatch } from '../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../src/audit/batch/scratch.ts'
import type { PidResolver } from '../../src/audit/enrich/pid-resolver.ts'
import { type ContainerInfo, type PolicyIdentity, Snapshot } from '../../src/audit/enrich/snapshot.ts'
import type { EnforcerError } from '../../src/enforcer/enforcer-error.ts'
import { compileHere } from '../../src/profile/profile-source.ts'
import { type RecordingLoaders, recordingLoaders } from '../../src/sandbox/recording-loader.ts'
import { sandboxClock } from '../../src/sandbox/sandbox-clock.ts'
import type { World } from './world.ts'

/** The container of all processes. */
const container: ContainerInfo = {
  ...{ containerID: 'c'.repeat(64), containerName: 'c', image: '', podName: 'p', podNamespace: '', podUID: '' },
  ...{ initPid: 6, mntNsID: 1, profileName: '' },
}
const processes: PidResolver = {
  beginBatch: () => undefined,
  resolve: () => ({ containerID: container.containerID, mntNsID: container.mntNsID, since: 0 }),
}

/** A node's agent whose enforcers record their calls, and fail if a test sets a failure. */
export class SimulatedNode {
  readonly name: string
  /** The state of the node's kernel and disk, which outlives the agent. */
  readonly loaders: RecordingLoaders = recordingLoaders()
  /** Errors of the next loads, by profile name. */
  readonly refusals = new Map<string, EnforcerError>()
  readonly #world: World
  readonly #tokenFile: string
  /** The owner of each profile, and whether its workload is recorded. */
  readonly #policies = new Map<string, PolicyIdentity>()
  readonly #scratch = new Scratch()
  #running: { agent: Agent; modellers: Modellers; transport: ManagerTransport; close: () => Promise<void> } | undefined

  constructor(world: World, name: string, tokenFile: string) {
    this.#world = world
    this.name = name
    this.#tokenFile = tokenFile
    for (const loader of Object.values(this.loaders)) {
      const load = loader.load.bind(loader)
      loader.load = (profile, content) => {
        const refusal = this.refusals.get(profile)
        if (refusal !== undefined) throw refusal
        return load(profile, content)
      }
    }
  }

  get agent(): Agent {
    if (this.#running === undefined) throw new Error(`${this.name} runs no agent now`)
    return this.#running.agent
  }

  async start(): Promise<void> {
    const world = this.#world
    const transport = new ManagerTransport({
      authority: (doubted) => world.authority(doubted),
      tokenFile: this.#tokenFile,
    })
    const connection = world.connect('agent')
    const modellers = new Modellers({
      node: this.name,
      folder: `${this.#tokenFile}-recordings`,
      managers: ['https://127.0.0.1:1'],
      send: (_, report) => transport.sendModel(world.statusUrl, report),
      onChange: (profileName, modelling) => this.#note(profileName, { modelling }),
      clock: sandboxClock,
      logger: world.logger,
    })
    const agent = new Agent({
      connection,
      node: this.name,
      loaders: this.loaders,
      compile: compileHere(),
      managers: ['https://127.0.0.1:1'],
      // Managers start and end, each at its own port.
      send: (_, report, signal) => transport.send(world.statusUrl, report, signal),
      logger: world.logger,
      period: 60_000,
      timing: world.timing,
      profiles: {
        name: 'policies',
        handle: ({ type, object }) => {
          const modelling = modellers.profile(object, type === 'deleted')
          this.#note(object.spec.profile.name, { ...policyOf(object), ...(modelling !== undefined && { modelling }) })
        },
      },
      reports: { coalesceLeast: 20, coalesceMost: 60, backoffFirst: 100, backoffLongest: 200 },
    })
    this.#running = { agent, modellers, transport, close: () => connection.close() }
    await agent.start()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.agent.stop()
    await running?.modellers.stop()
    await running?.transport.close()
    await running?.close()
  }

  /**
   * Passes records of the node's kernel to the agent, framed as by the audit addon, about a process in a pod of the
   * namespace.
   * @returns the lines of violations
   */
  report(records: readonly string[], podNamespace: string): string {
    const containers = [{ ...container, podNamespace }]
    const data = { version: 1, nodeName: this.name, metadata: {}, bootTime: 0, containers }
    const snapshot = new Snapshot({ ...data, policies: [...this.#policies.values()] })
    const bytes = new Uint8Array(Buffer.from(`${records.join('\n')}\n`))
    const batch = { source: 'kernel', seq: 1, format: 'netlink' as const, bytes, final: true }
    const { output, recorded } = processBatch(batch, snapshot, processes, this.#scratch)
    this.#running?.modellers.found(recorded ?? [])
    return Buffer.from(output).toString('utf8')
  }

  #note(profileName: string, change: Partial<PolicyIdentity>): void {
    const known = this.#policies.get(profileName)
    const unknown = { profileName, kind: 'VarmorPolicy' as const, name: '', namespace: '' }
    this.#policies.set(profileName, { ...unknown, ...known, ...change })
  }

  /** Profiles in force, by the enforcer's name. */
  holds(profile: string): string[] {
    return Object.entries(this.loaders).flatMap(([enforcer, { loaded }]) => (loaded.has(profile) ? [enforcer] : []))
  }
}
