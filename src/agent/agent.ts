import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { ActorSystem, type SystemStats } from '../../actors/runtime/index.ts'
import type { ArmorProfile } from '../api/types.ts'
import type { NoSource } from '../audit/source/choose-source.ts'
import { logTrouble } from '../base/bug.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Loaders } from '../enforcer/ports.ts'
import type { HttpServer } from '../http/server.ts'
import type { RequestObserver } from '../kube/caller.ts'
import { ApiClient } from '../kube/client.ts'
import type { Connection } from '../kube/connection.ts'
import type { Handler } from '../kube/handler-queue.ts'
import { PriorityLimiter } from '../kube/limiter.ts'
import type { KubeObject } from '../kube/objects.ts'
import { armorProfiles } from '../kube/own-kinds.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../kube/reflector.ts'
import { withoutManagedFields } from '../kube/store.ts'
import type { CompileCarried } from '../profile/carried.ts'
import { NodeProfiles } from './node-profiles.ts'
import { serveHealth } from './readiness.ts'
import { Reporter, type ReportTiming, type SendReport } from './reporter.ts'

export interface AgentOptions {
  connection: Connection
  /** Where vArmor is installed. Default varmor. */
  namespace?: string
  /** Name of the Node object. */
  node: string
  loaders: Loaders
  /** See NodeProfilesOptions. */
  compile: CompileCarried
  basis?: () => string
  /** Origins of managers' status servers. */
  managers: readonly [string, ...string[]]
  send: SendReport
  logger: Logger
  /** Where the kubelet asks whether the node is ready; left out: nowhere. 0: any port that is free. */
  health?: { port: number; host?: string }
  /** Names of the AppArmor profiles that confine a process now; see LeftoverOptions. */
  confining?: () => Promise<ReadonlySet<string>>
  /** Names of the profiles that pods refer to; see LeftoverOptions. Left out: there is no runtime, and so none. */
  ofContainers?: () => ReadonlySet<string> | undefined
  /** Ready only when no profile is refused, either. */
  strict?: boolean
  /** Why no violation is reported; undefined where they are. */
  unreported?: () => NoSource | undefined
  /** How often each part beside it was begun anew. */
  restarts?: () => Readonly<Record<string, number>>
  /** Milliseconds between two looks at what is really loaded. */
  period?: number
  /** Also called with each change of an ArmorProfile, such as for what violations are to say of policies. */
  profiles?: Handler<ArmorProfile & KubeObject>
  /** Called when all ArmorProfiles have gone through `profiles`, and those that are wanted are known. */
  onListed?: () => void
  /** Of calls to the API server, for metrics. */
  apiObserver?: RequestObserver
  timing?: Partial<ReflectorTiming>
  reports?: Partial<ReportTiming>
}

/** The downward half of an agent: it has this node hold what the ArmorProfiles say, and reports to the manager how that went. */
export class Agent {
  readonly #options: AgentOptions
  readonly #limiter = new PriorityLimiter({ qps: 20, burst: 40 })
  readonly #system: ActorSystem
  readonly #reporter: Reporter
  readonly #profiles: NodeProfiles
  readonly #reflector: Reflector<ArmorProfile & KubeObject>
  #health: HttpServer | undefined
  #listing: Promise<void> | undefined
  #stopped = false

  constructor(options: AgentOptions) {
    this.#options = options
    const { connection, node, loaders, compile, managers, send, logger } = options
    const { confining = noProfiles, ofContainers = noNames, strict = false } = options
    const { unreported, restarts, period, basis, timing = {}, reports, namespace, apiObserver } = options
    const time = { clock: systemClock, random: Math.random }
    this.#system = new ActorSystem({ logger })
    this.#reporter = new Reporter({
      ...{ node, agent: randomUUID(), managers, send, logger, ...time },
      whole: () => this.#profiles.readiness.whole,
      ...(reports !== undefined && { timing: reports }),
    })
    this.#profiles = new NodeProfiles({
      ...{ system: this.#system, loaders, compile, reporter: this.#reporter, confining, ofContainers, strict, logger },
      ...time,
      ...(namespace !== undefined && { namespace }),
      ...(basis !== undefined && { basis }),
      ...(period !== undefined && { period }),
      ...(unreported !== undefined && { unreported }),
      ...(restarts !== undefined && { restarts }),
    })
    const observed = apiObserver === undefined ? {} : { observer: apiObserver }
    const client = new ApiClient({ connection, limiter: this.#limiter, ...observed })
    this.#reflector = new Reflector({
      source: clientSource(client, armorProfiles),
      transform: withoutManagedFields,
      timing,
      observer: {
        failed: (err, delay) =>
          logTrouble(logger, err, { err, delay }, 'ArmorProfiles cannot be watched; it is tried again'),
        handlerFailed: (handler, { key }, err) => logger.error({ err, handler, key }, 'a handler of changes failed'),
      },
    })
  }

  get readiness() {
    return this.#profiles.readiness
  }

  /** For metrics. */
  get actors(): SystemStats {
    return this.#system.stats()
  }

  /** The port of the health server; 0 without one. */
  get healthPort(): number {
    return this.#health?.port ?? 0
  }

  /** Looks now at what is really loaded, and has put back what is not. @returns keys of those ArmorProfiles */
  check(): Promise<string[]> {
    return this.#profiles.check()
  }

  /** Resolves when it answers the kubelet; the rest comes by itself. */
  async start(): Promise<void> {
    const { health, profiles, logger, node } = this.#options
    if (health !== undefined) this.#health = await serveHealth(this.readiness, health, logger)
    this.#reflector.subscribe(this.#profiles.handler)
    if (profiles !== undefined) this.#reflector.subscribe(profiles)
    this.#reflector.start()
    this.#reporter.start()
    this.#listing = this.#whenListed()
    logger.info({ node, readinessPort: this.healthPort }, 'the agent is running')
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#profiles.stop()
    await this.#reflector.stop()
    await this.#listing
    await this.#system.stop({ within: 5_000 })
    await this.#reporter.stop()
    this.#limiter.close()
    await this.#health?.drain(1_000)
  }

  /** What was listed has to have gone through the handler before anything is a leftover. */
  async #whenListed(): Promise<void> {
    if (!(await this.#reflector.synced)) return
    const handlers = [this.#profiles.handler.name, this.#options.profiles?.name ?? '']
    const under = (): boolean => handlers.some((name) => (this.#reflector.depths[name] ?? 0) > 0)
    while (!this.#stopped && under()) await turn()
    if (this.#stopped) return
    this.#options.onListed?.()
    await this.#profiles.listed()
  }
}

const noNames = (): ReadonlySet<string> => new Set()
const noProfiles = (): Promise<ReadonlySet<string>> => Promise.resolve(noNames())
