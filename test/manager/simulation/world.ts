import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import type { AgentReport } from '../../../src/api/agent-report.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { type Random, seededRandom } from '../../../src/base/random.ts'
import type { Change } from '../../../src/kube/change.ts'
import { namespaces } from '../../../src/kube/core-objects.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { armorProfiles } from '../../../src/kube/own-kinds.ts'
import { clientSource, Reflector } from '../../../src/kube/reflector.ts'
import { install } from '../../../src/sandbox/install.ts'
import { faultsOf } from '../../sandbox/faults.ts'
import { EmbeddedCluster, INSTALL_NAMESPACE } from './embedded-cluster.ts'
import { SimulatedAgent } from './simulated-agent.ts'
import { SimulatedManager } from './simulated-manager.ts'

export interface WorldOptions {
  seed: number
  /** Milliseconds that the API server takes for each request of a manager. */
  latency?: number
  /** Images that each Node names. */
  images?: number
  taken?: (report: AgentReport) => void
}

export const START = Date.UTC(2026, 0, 1)
const manager = 'varmor-manager'

/** The embedded API server, managers and agents in one process, under one clock: the same seed gives the same run. */
export class World {
  readonly clock = new SimulatedClock(START)
  readonly cluster: EmbeddedCluster
  readonly agents = new Map<string, SimulatedAgent>()
  /** Managers that run now. */
  readonly managers: SimulatedManager[] = []
  readonly random: Random
  readonly #options: WorldOptions
  readonly #profiles: Reflector<ArmorProfile & KubeObject>
  readonly #standings = new Map<string, ProfileStatus>()
  #managersStarted = 0

  constructor(options: WorldOptions) {
    this.#options = options
    const { seed, latency = 5 } = options
    this.random = seededRandom(seed)
    this.cluster = new EmbeddedCluster(this.clock, seed * 1000)
    const { admin, server } = this.cluster
    faultsOf(server).add({ user: manager, fault: { type: 'latency', milliseconds: latency } })
    // All agents share one watch.
    const source = clientSource(admin, armorProfiles)
    this.#profiles = new Reflector({ source, clock: this.clock, random: this.random })
    this.#profiles.subscribe({ name: 'agents', handle: (change) => this.#profileChanged(change) })
  }

  async start(teams: readonly string[]): Promise<void> {
    const { admin } = this.cluster
    await this.until(install(admin, INSTALL_NAMESPACE))
    for (const name of teams) await this.until(admin.create(namespaces, { metadata: { name } }))
    this.#profiles.start()
    await this.until(this.#profiles.synced)
  }

  /** Adds nodes, whose agents start within this many milliseconds. */
  async addNodes(names: readonly string[], within = 15_000): Promise<void> {
    const portion = 100
    for (let from = 0; from < names.length; from += portion)
      await this.until(Promise.all(names.slice(from, from + portion).map((name) => this.#addNode(name, within))))
  }

  async #addNode(name: string, within: number): Promise<void> {
    const { clock, random } = this
    const token = await this.cluster.addNode(name, this.#options.images)
    const agent = new SimulatedAgent(name, token, {
      ...{ clock, random },
      manager: () => this.managers[Math.floor(random() * this.managers.length)],
      taken: (report) => this.#options.taken?.(report),
    })
    this.agents.set(name, agent)
    for (const standing of this.#standings.values()) agent.see(standing)
    clock.after(random() * within, () => agent.start())
  }

  startManager(): SimulatedManager {
    const { clock, cluster } = this
    const serial = ++this.#managersStarted
    const started = new SimulatedManager({
      ...{ clock, random: seededRandom(this.#options.seed * 1000 + serial) },
      connection: cluster.connect(manager),
      identity: `manager-${serial}`,
    })
    this.managers.push(started)
    started.start()
    return started
  }

  /** Kills the manager's process. Resolves when none of its work remains. */
  crash(dead: SimulatedManager): Promise<void> {
    this.managers.splice(this.managers.indexOf(dead), 1)
    return dead.crash()
  }

  /** Ends the manager in an orderly way, as for an update. */
  retire(manager: SimulatedManager): Promise<void> {
    this.managers.splice(this.managers.indexOf(manager), 1)
    return manager.stop()
  }

  /** Runs for this many milliseconds. */
  async runFor(duration: number): Promise<void> {
    const limit = this.clock.now() + duration
    await this.#settle()
    while (this.clock.step(limit)) await this.#settle()
  }

  /** @returns whether the condition became true within this many milliseconds */
  async runUntil(condition: () => boolean, within: number): Promise<boolean> {
    const limit = this.clock.now() + within
    await this.#settle()
    while (!condition()) {
      if (!this.clock.step(limit)) return condition()
      await this.#settle()
    }
    return true
  }

  /** Runs until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const over = (): void => {
      settled = true
    }
    promise.then(over, over)
    await this.runUntil(() => settled, 600_000)
    if (!settled) throw new Error('Nothing came of it within ten minutes')
    return promise
  }

  async stop(): Promise<void> {
    const { agents, managers, cluster } = this
    const all = [...[...agents.values()].map((agent) => agent.stop()), ...managers.map((one) => one.stop())]
    await this.until(Promise.all(all))
    await this.until(this.#profiles.stop())
    cluster.server.close()
  }

  /** Runs all work that does not need time to pass. */
  async #settle(): Promise<void> {
    const { server } = this.cluster
    let revision: number
    do {
      revision = server.context.store.revision
      // A macrotask comes after all microtasks, so each promise that could resolve by itself has done so.
      await macrotask()
      await server.idle()
    } while (revision !== server.context.store.revision || !this.#quiet)
  }

  get #quiet(): boolean {
    return this.#profiles.waiting === 0 && this.managers.every((each) => each.quiet)
  }

  #profileChanged({ type, key, object }: Change<ArmorProfile>): void {
    const { uid = '', generation = 0, deletionTimestamp } = object.metadata
    if (type === 'deleted') {
      this.#standings.delete(key)
      for (const agent of this.agents.values()) agent.forget(key)
      return
    }
    const state = deletionTimestamp === undefined ? 'loaded' : 'unloaded'
    const known = this.#standings.get(key)
    // The profile's status changes, too, but agents ignore it.
    if (known?.uid === uid && known.generation === generation && known.state === state) return
    const standing: ProfileStatus = { key, uid, generation, state, enforcers: [] }
    this.#standings.set(key, standing)
    for (const agent of this.agents.values()) agent.see(standing)
  }
}

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
