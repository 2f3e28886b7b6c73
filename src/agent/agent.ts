import { ActorSystem, type SystemStats } from '../../actors/runtime/index.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import type { ArmorProfile } from '../api/types.ts'
import type { NoSource } from '../audit/source/choose-source.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Claims } from '../enforcer/bpf/shares.ts'
import type { Loaders } from '../enforcer/ports.ts'
import type { HttpServer } from '../http/server.ts'
import type { Handler } from '../kube/handler-queue.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { CompileCarried } from '../profile/carried.ts'
import { ClusterSource, type ClusterSourceOptions } from './cluster-source.ts'
import { endParts } from './end-parts.ts'
import { NodeProfiles } from './node-profiles.ts'
import type { ProfileSource } from './profile-source.ts'
import { type ReadinessOptions, serveHealth } from './readiness.ts'

/** Where ArmorProfiles come from: a cluster, or somewhere else. */
export type AgentSource = Omit<ClusterSourceOptions, 'node' | 'logger'> | { source: ProfileSource }

export type AgentOptions = AgentSource & {
  /** Where vArmor is installed. Default varmor. */
  namespace?: string
  /** Name of the Node object. */
  node: string
  loaders: Loaders
  /** See NodeProfilesOptions. */
  compile: CompileCarried
  basis?: () => string
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
  /** See NodeProfilesOptions. */
  onRefused?: (profile: string) => void
  /** See ReadinessOptions. */
  problems?: ReadinessOptions['problems']
}

/** The downward half of an agent: it has this node hold what the ArmorProfiles say, and reports to the manager how that went. */
export class Agent {
  readonly #options: AgentOptions
  readonly #system: ActorSystem
  readonly #source: ProfileSource
  readonly #profiles: NodeProfiles
  #health: HttpServer | undefined
  #listing: Promise<void> | undefined

  constructor(options: AgentOptions) {
    this.#options = options
    const { loaders, compile, logger } = options
    const { confining = noProfiles, ofContainers = noNames, strict = false } = options
    const { unreported, restarts, problems, period, basis, namespace, onRefused } = options
    this.#system = new ActorSystem({ logger })
    this.#source =
      'source' in options ? options.source : new ClusterSource(options, () => this.#profiles.readiness.whole)
    this.#profiles = new NodeProfiles({
      ...{ system: this.#system, loaders, compile, reporter: this.#source, confining, ofContainers, strict, logger },
      ...{ clock: systemClock, random: Math.random, onRefused },
      ...(namespace !== undefined && { namespace }),
      ...(basis !== undefined && { basis }),
      ...(period !== undefined && { period }),
      ...(unreported !== undefined && { unreported }),
      ...(restarts !== undefined && { restarts }),
      ...(problems !== undefined && { problems }),
    })
  }

  get readiness() {
    return this.#profiles.readiness
  }

  /** Who wants profiles of BPF. */
  get bpfClaims(): Claims {
    return this.#profiles.wanted.bpfClaims
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

  /** The node is another for what an enforcer loads. */
  recompile(enforcer: KernelEnforcer): void {
    this.#profiles.recompile(enforcer)
  }

  /** Resolves when it answers the kubelet; the rest comes by itself. */
  async start(): Promise<void> {
    const { health, profiles, logger, node } = this.#options
    if (health !== undefined) this.#health = await serveHealth(this.readiness, health, logger)
    this.#source.subscribe(this.#profiles.handler)
    if (profiles !== undefined) this.#source.subscribe(profiles)
    this.#source.start()
    this.#listing = this.#whenListed()
    logger.info({ node, port: this.healthPort }, 'the agent is running')
  }

  async stop(): Promise<void> {
    const parts = {
      watch: () => this.#profiles.stop(),
      source: () => this.#source.stop(),
      listing: () => this.#listing,
      actors: () => this.#system.stop({ within: 5_000 }),
      reports: () => this.#source.close(),
      health: () => this.#health?.drain(1_000),
    }
    await endParts(parts, this.#options.logger)
  }

  /** What was listed has to have gone through the handler before anything is a leftover. */
  async #whenListed(): Promise<void> {
    if (!(await this.#source.listed())) return
    this.#options.onListed?.()
    await this.#profiles.listed()
  }
}

const noNames = (): ReadonlySet<string> => new Set()
const noProfiles = (): Promise<ReadonlySet<string>> => Promise.resolve(noNames())
