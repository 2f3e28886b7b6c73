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
import type { CompileCarried } from '../profile/profile-source.ts'
import { ClusterSource, type ClusterSourceOptions } from './cluster/cluster-source.ts'
import { type ReadinessOptions, serveHealth } from './lifecycle/readiness.ts'
import { stopAll } from './lifecycle/shutdown.ts'
import { NodeProfiles } from './profiles/node-profiles.ts'
import type { ProfileSource } from './profiles/profile-source.ts'

/** Where ArmorProfiles come from: a cluster, or another source. */
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
  /** Where the kubelet asks whether the node is ready; default: no health server. Port 0: any free port. */
  health?: { port: number; host?: string }
  /** Returns the names of the AppArmor profiles that confine a process now; see LeftoverOptions. */
  confining?: () => Promise<ReadonlySet<string>>
  /** Returns the names of the profiles that pods refer to; see LeftoverOptions. Default: no profiles. */
  ofContainers?: () => ReadonlySet<string> | undefined
  /** Whether a refused profile makes the node unready, too. */
  strict?: boolean
  /** Returns why violations are not reported; undefined while they are reported. */
  unreported?: () => NoSource | undefined
  /** How often each of the agent's other components was restarted. */
  restarts?: () => Readonly<Record<string, number>>
  /** Milliseconds between two checks of the profiles that are loaded. */
  period?: number
  /** Also called with each change of an ArmorProfile, for example to name the policy in violations. */
  profiles?: Handler<ArmorProfile & KubeObject>
  /** Called when `profiles` has received all ArmorProfiles, so the wanted profiles are known. */
  onListed?: () => void
  /** See NodeProfilesOptions. */
  onRefused?: (profile: string) => void
  /** See ReadinessOptions. */
  problems?: ReadinessOptions['problems']
}

/** Loads the ArmorProfiles of this node and reports the results to the manager. */
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

  /** Claims of all namespaces on BPF profiles. */
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

  /**
   * Checks at once which profiles are loaded, and restores missing profiles.
   * @returns keys of the ArmorProfiles whose profile was missing
   */
  check(): Promise<string[]> {
    return this.#profiles.check()
  }

  /** Compiles this enforcer's profiles again, because the node has changed. */
  recompile(enforcer: KernelEnforcer): void {
    this.#profiles.recompile(enforcer)
  }

  /** Resolves when the health server answers; the other parts start in the background. */
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
    await stopAll(parts, this.#options.logger)
  }

  /**
   * Waits until the handler has received all listed ArmorProfiles. Until then, it is unknown which profiles are
   * leftovers.
   */
  async #whenListed(): Promise<void> {
    if (!(await this.#source.listed())) return
    this.#options.onListed?.()
    await this.#profiles.listed()
  }
}

const noNames = (): ReadonlySet<string> => new Set()
const noProfiles = (): Promise<ReadonlySet<string>> => Promise.resolve(noNames())
