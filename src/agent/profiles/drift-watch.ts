import type { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import type { WantedProfile } from '../../../actors/loaded-profile/ports.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'

export interface DriftWatchOptions {
  listings: EnforcerListings
  wanted: { entries(): Iterable<[key: string, wanted: WantedProfile]> }
  /** Called for each ArmorProfile that is not completely loaded. */
  onDrift(key: string): void
  /** Called when the profiles of an enforcer cannot be listed. The next check tries again. */
  onError(enforcer: KernelEnforcer, error: unknown): void
  /** Called after each periodic check. */
  onLook?(): Promise<void>
  clock: Clock
  random: Random
  /** Average milliseconds between two checks. Default 60,000. */
  period?: number
}

/**
 * Checks periodically whether the kernel and the disk still have the wanted profiles. A check reads one list for all
 * profiles of the node.
 */
export class DriftWatch {
  readonly #options: DriftWatchOptions
  #timer: Timer | undefined
  #stopped = false

  constructor(options: DriftWatchOptions) {
    this.#options = options
  }

  start(): void {
    const { clock, random, period = 60_000 } = this.#options
    // Random, so that nodes that started at the same time do not check at the same time.
    this.#timer = clock.after(period * (0.75 + 0.5 * random()), () => void this.#round())
  }

  /** @returns keys of the ArmorProfiles whose actors were notified */
  async check(): Promise<string[]> {
    const { listings, wanted, onDrift, onError } = this.#options
    for (const { enforcer, error } of await listings.refresh()) onError(enforcer, error)
    const drifted: string[] = []
    for (const [key, one] of wanted.entries()) if (await this.#differs(one)) drifted.push(key)
    for (const key of drifted) onDrift(key)
    return drifted
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #round(): Promise<void> {
    await this.check()
    await this.#options.onLook?.()
    if (!this.#stopped) this.start()
  }

  async #differs({ profile, leaving, contents, conflict, strange }: WantedProfile): Promise<boolean> {
    const isRefused = conflict !== undefined || strange !== undefined
    if (isRefused || (contents === undefined && !leaving)) return false
    const { listings, onError } = this.#options
    for (const enforcer of listings.enforcers) {
      try {
        const found = (await listings.listing(enforcer)).get(profile)
        const isFreed = leaving && listings.isFree(enforcer, profile)
        if (!isFreed && found !== (leaving ? undefined : contents?.get(enforcer)?.digest)) return true
      } catch (error) {
        onError(enforcer, error)
      }
    }
    return false
  }
}
