import { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import {
  type LoadedProfileMessage,
  type LoadedProfilePorts,
  loadedProfileFamily,
} from '../../../actors/loaded-profile.ts'
import type { ActorSystem, Family } from '../../../actors/runtime/index.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import { whyNotMade } from '../../api/made-by-manager.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { logTrouble } from '../../base/bug.ts'
import type { Clock } from '../../base/clock.ts'
import type { LogFields } from '../../base/log-fields.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'
import { EnforcerError } from '../../enforcer/enforcer-error.ts'
import type { Loaders } from '../../enforcer/ports.ts'
import type { Handler } from '../../kube/handler-queue.ts'
import type { CompileCarried } from '../../profile/profile-source.ts'
import { Readiness, type ReadinessOptions } from '../lifecycle/readiness.ts'
import { DriftWatch } from './drift-watch.ts'
import { type LeftoverReport, removeLeftovers, sharedScan, useOf } from './orphaned-profiles.ts'
import type { ProfileSource } from './profile-source.ts'
import { ProfileStatusLog } from './profile-status-log.ts'
import { WantedProfiles } from './wanted-profiles.ts'

export interface NodeProfilesOptions {
  system: ActorSystem
  loaders: Loaders
  /** Compiles for this node. Always settles, in the worst case with a LoadFailure. */
  compile: CompileCarried
  /**
   * Returns a text that changes when the same source would give another profile. Read at each check of the loaded
   * profiles.
   */
  basis?(): string
  /** Sends each status to the manager. */
  reporter: Pick<ProfileSource, 'set' | 'forget' | 'becameWhole'>
  /** Called with the name of each profile that BPF could not load as wanted. */
  onRefused?: ((profile: string) => void) | undefined
  /** Where vArmor is installed. Default varmor. */
  namespace?: string
  /** See LeftoverOptions. */
  confining(): Promise<ReadonlySet<string>>
  ofContainers(): ReadonlySet<string> | undefined
  /** Whether a refused profile makes the node unready, too. */
  strict?: boolean
  /** See ReadinessOptions. */
  unreported?: ReadinessOptions['unreported']
  restarts?: ReadinessOptions['restarts']
  problems?: ReadinessOptions['problems']
  clock: Clock
  random: Random
  logger: Logger
  timing?: LoadedProfilePorts['timing']
  /** Milliseconds between two checks of the loaded profiles. Default 60,000. */
  period?: number
}

/** Loads the profiles of a node. It has an actor for each ArmorProfile, and the services that the actors share. */
export class NodeProfiles {
  readonly wanted: WantedProfiles
  readonly readiness: Readiness
  /** Handler for the reflector of ArmorProfiles. */
  readonly handler: Handler<ArmorProfile>
  readonly #options: NodeProfilesOptions
  readonly #listings: EnforcerListings
  readonly #family: Family<LoadedProfileMessage>
  readonly #watch: DriftWatch
  readonly #log: ProfileStatusLog
  readonly #confining: NodeProfilesOptions['confining']
  #listed = false
  #basis: string | undefined

  constructor(options: NodeProfilesOptions) {
    this.#options = options
    this.#confining = sharedScan(options.confining)
    const { strict = false, unreported, restarts, problems, namespace = 'varmor' } = options
    const wanted = new WantedProfiles((profile) => whyNotMade(profile, namespace))
    this.wanted = wanted
    this.readiness = new Readiness({
      wanted,
      strict,
      ...(unreported !== undefined && { unreported }),
      ...(restarts !== undefined && { restarts }),
      ...(problems !== undefined && { problems }),
    })
    this.#listings = new EnforcerListings(options.loaders)
    this.#log = new ProfileStatusLog(options.logger)
    this.#family = options.system.family('loaded-profile', loadedProfileFamily(this.#ports()))
    this.handler = wanted.handler((key) => this.#family.of(key).tell({ type: 'changed' }))
    const { clock, random, period } = options
    this.#watch = new DriftWatch({
      listings: this.#listings,
      wanted,
      onDrift: (key) => {
        this.#log.drifted(key)
        this.#family.of(key).tell({ type: 'check' })
      },
      onError: (enforcer, error) => this.#cannotList(enforcer, error),
      onLook: () => {
        this.#checkNode()
        return this.#sweep()
      },
      ...{ clock, random, ...(period !== undefined && { period }) },
    })
  }

  /**
   * Called when `handler` has received all ArmorProfiles. After this, a loaded profile without an ArmorProfile is a
   * leftover, and the node can be ready.
   */
  async listed(): Promise<void> {
    this.#listed = true
    this.#checkNode()
    this.readiness.listed()
    this.#options.reporter.becameWhole()
    this.#watch.start()
    await this.#sweep()
  }

  /**
   * Checks at once the profiles in the kernel, and looks for profiles without an ArmorProfile.
   * @returns keys of the ArmorProfiles that were not completely loaded
   */
  async check(): Promise<string[]> {
    const drifted = await this.#watch.check()
    await this.#sweep()
    return drifted
  }

  /** Compiles profiles again, because the node has changed: of this enforcer, or of all enforcers. */
  recompile(enforcer?: KernelEnforcer): void {
    for (const key of this.wanted.recompile(enforcer)) this.#family.of(key).tell({ type: 'changed' })
  }

  /** Stops the checks. The actors stop with their system. */
  stop(): void {
    this.#watch.stop()
  }

  #ports(): LoadedProfilePorts {
    const { reporter, compile, timing } = this.#options
    return {
      wanted: (key) => this.wanted.get(key),
      compile: (key) => this.wanted.compile(key, compile),
      letGo: (key, again) => this.wanted.letGo(key, again),
      wantedByOthers: (key, profile) => this.wanted.wantedByOthers(key, profile),
      used: async (profile) => useOf(profile, await this.#confining(), this.#options.ofContainers()) !== undefined,
      listings: this.#listings,
      report: (standing) => {
        this.readiness.set(standing)
        this.#log.set(standing)
        reporter.set(standing)
        this.#sayRefused(standing)
      },
      forget: (key) => {
        this.readiness.forget(key)
        this.#log.forget(key)
        reporter.forget(key)
      },
      ...(timing !== undefined && { timing }),
    }
  }

  /** Reports a profile that BPF cannot load, unless another ArmorProfile also has the profile. */
  #sayRefused({ key, state, enforcers }: ProfileStatus): void {
    const profile = this.wanted.get(key)?.profile
    if (state !== 'failed' || enforcers.includes('BPF') || profile === undefined) return
    if (!this.wanted.wantedByOthers(key, profile)) this.#options.onRefused?.(profile)
  }

  /**
   * Compiles all profiles again if the block devices have changed. If the devices cannot be read, the previous devices
   * stay in the profiles; otherwise containers could access them for a moment.
   */
  #checkNode(): void {
    const before = this.#basis
    try {
      this.#basis = this.#options.basis?.()
    } catch (error) {
      const { logger } = this.#options
      logTrouble(logger, error, { err: error }, 'cannot read the block devices of the node; retrying')
    }
    const now = this.#basis
    if (before === undefined || before === now) return
    this.recompile()
  }

  async #sweep(): Promise<void> {
    if (!this.#listed) return
    const { ofContainers } = this.#options
    const confining = this.#confining
    try {
      const report = await removeLeftovers({ listings: this.#listings, wanted: this.wanted, confining, ofContainers })
      this.#say(report)
      // Restore a profile that became wanted while it was being removed.
      const gone = [...report.removed, ...report.freed]
      if (gone.some(({ profile }) => this.wanted.has(profile))) await this.#watch.check()
    } catch (error) {
      logTrouble(this.#options.logger, error, fieldsOf(error), 'cannot look for profiles of removed policies; retrying')
    }
  }

  #say({ removed, freed, failed }: LeftoverReport): void {
    const { logger } = this.#options
    if (removed.length > 0) logger.info({ removed }, 'removed the profiles of removed policies')
    if (freed.length > 0)
      logger.info(
        { freed },
        'profiles of removed policies now allow everything; they are removed when no pod names them',
      )
    if (failed.length > 0) logger.warn({ failed }, 'cannot remove profiles of removed policies; retrying')
  }

  #cannotList(enforcer: string, error: unknown): void {
    const fields = { enforcer, ...fieldsOf(error) }
    logTrouble(this.#options.logger, error, fields, 'cannot list the loaded profiles; retrying')
  }
}

const fieldsOf = (error: unknown): LogFields =>
  error instanceof EnforcerError ? { code: error.code, reason: error.reason } : { err: error }
