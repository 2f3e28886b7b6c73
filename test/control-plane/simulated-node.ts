import { Agent } from '../../src/agent/agent.ts'
import { ManagerTransport } from '../../src/agent/manager-transport.ts'
import type { EnforcerError } from '../../src/enforcer/enforcer-error.ts'
import { compileHere } from '../../src/profile/carried.ts'
import { type RecordingLoaders, recordingLoaders } from '../../src/sandbox/recording-loader.ts'
import type { World } from './world.ts'

/** A node's agent, whose enforcers remember what they were asked for, and fail where a test says so. */
export class SimulatedNode {
  readonly name: string
  /** What kernel and disk of the node hold: it outlives the agent. */
  readonly loaders: RecordingLoaders = recordingLoaders()
  /** Why profiles of such a name cannot be loaded here now. */
  readonly refusals = new Map<string, EnforcerError>()
  readonly #world: World
  readonly #tokenFile: string
  #running: { agent: Agent; transport: ManagerTransport; close: () => Promise<void> } | undefined

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
    const agent = new Agent({
      connection,
      node: this.name,
      loaders: this.loaders,
      compile: compileHere(),
      managers: ['https://127.0.0.1:1'],
      // Managers come and go, each at a port of its own.
      send: (_, report, signal) => transport.send(world.statusUrl, report, signal),
      logger: world.logger,
      period: 60_000,
      timing: world.timing,
      reports: { coalesceLeast: 20, coalesceMost: 60, backoffFirst: 100, backoffLongest: 200 },
    })
    this.#running = { agent, transport, close: () => connection.close() }
    await agent.start()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.agent.stop()
    await running?.transport.close()
    await running?.close()
  }

  /** Profiles that are in force, by the name of the enforcer. */
  holds(profile: string): string[] {
    return Object.entries(this.loaders).flatMap(([enforcer, { loaded }]) => (loaded.has(profile) ? [enforcer] : []))
  }
}
