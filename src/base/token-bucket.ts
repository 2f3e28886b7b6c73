import { RecentMap } from './recent-map.ts'

/** Allows a burst, and then one token for each `refill` milliseconds. */
export class TokenBucket {
  #burst: number
  #refill: number
  #tokens: number
  #at: number

  constructor(burst: number, refill: number, now: number) {
    this.#burst = burst
    this.#refill = refill
    this.#tokens = burst
    this.#at = now
  }

  /** Takes a token, if there is one. */
  take(now: number): boolean {
    return this.takeSome(1, now) === 1
  }

  /** Takes `most` tokens, or as many as there are. @returns their number */
  takeSome(max: number, now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#refill)
    this.#at = now
    const taken = Math.min(max, Math.max(0, Math.floor(this.#tokens)))
    this.#tokens -= taken
    return taken
  }

  /** Adds costs to earlier tokens: no token is available until this many more have been refilled. */
  owe(more: number): void {
    this.#tokens -= more
  }

  /** Returns a token. */
  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1)
  }
}

/** A bucket for each of the most recent keys. */
export class TokenBuckets {
  readonly #rate: { burst: number; refill: number }
  readonly #buckets: RecentMap<string, TokenBucket>

  /**
   * @param bound maximum kept buckets
   * @param rate of each: see TokenBucket
   */
  constructor(bound: number, rate: { burst: number; refill: number }) {
    this.#buckets = new RecentMap(bound)
    this.#rate = rate
  }

  of(key: string, now: number): TokenBucket {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#rate.burst, this.#rate.refill, now)
    this.#buckets.set(key, bucket)
    return bucket
  }
}
