import { RecentMap } from './recent-map.ts'

/** A token bucket: allows a burst, and then one token every `refill` milliseconds. */
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

  /**
   * Takes a token, if one is available.
   * @returns whether a token was taken
   */
  take(now: number): boolean {
    return this.takeSome(1, now) === 1
  }

  /**
   * Takes `max` tokens, or as many as are available.
   * @returns the number of taken tokens
   */
  takeSome(max: number, now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#refill)
    this.#at = now
    const taken = Math.min(max, Math.max(0, Math.floor(this.#tokens)))
    this.#tokens -= taken
    return taken
  }

  /**
   * Takes `more` tokens even if the bucket has fewer. Then no token is available until the missing tokens are refilled.
   */
  owe(more: number): void {
    this.#tokens -= more
  }

  /** Returns a token. */
  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1)
  }
}

/** A token bucket for each of the most recently used keys. */
export class TokenBuckets {
  readonly #rate: { burst: number; refill: number }
  readonly #buckets: RecentMap<string, TokenBucket>

  /**
   * @param bound maximum number of buckets
   * @param rate burst and refill time of each bucket, as in TokenBucket
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
