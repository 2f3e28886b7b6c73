import { hash as digest } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { RecentMap } from '../../base/recent-map.ts'
import { TokenBuckets } from '../../base/token-bucket.ts'
import type { TokenVerdict } from '../../kube/token-review.ts'

export interface TokenVerifierOptions {
  /**
   * Asks the API server whether a token is valid. Rejects if the API server does not answer. `known`: the token was
   * valid at the last check.
   */
  review: (token: string, known: boolean) => Promise<TokenVerdict>
  /**
   * Whether this user may send requests. A valid token alone does not show it, because every user of the cluster can
   * create valid tokens.
   */
  isExpected: (username: string) => boolean
  clock: Clock
  /**
   * Milliseconds for which an accepted token is cached. A revoked token still works for this time. Default and maximum:
   * 60,000.
   */
  keepFor?: number
  /** Milliseconds for which a refusal is cached. Default 10,000. */
  keepRefusalFor?: number
  /** Maximum cached answers for accepted callers. Default 20,000. */
  entries?: number
  /** Maximum cached refusals. Default 4,096. */
  refusals?: number
  /** Maximum concurrent checks of unknown tokens. Default 256. */
  strangers?: number
  /**
   * Maximum burst of bad tokens from one address, and milliseconds until each further bad token. Default 100 and 100.
   */
  rate?: { burst: number; refill: number }
}

/**
 * `busy`: the token was not checked, because too many checks are running, or its address has sent too many bad tokens.
 */
export type Verdict = TokenVerdict | { busy: true }

interface Kept {
  verdict: TokenVerdict
  until: number
}

/** Maximum number of addresses whose bad tokens are counted. */
const ADDRESSES = 4_096

/**
 * Identifies the user of a token. It checks an accepted token once per minute, and stores only hashes of tokens. A
 * client may send many bad tokens: they count against the client's address, and cannot evict good tokens from the
 * cache.
 */
export class TokenVerifier {
  #options: Required<TokenVerifierOptions>
  #expected: RecentMap<string, Kept>
  #others: RecentMap<string, Kept>
  #buckets: TokenBuckets
  #asking = new Map<string, Promise<TokenVerdict>>()
  #strangers = 0

  constructor(options: TokenVerifierOptions) {
    const rate = { burst: 100, refill: 100 }
    const bounds = { entries: 20_000, refusals: 4_096, strangers: 256 }
    this.#options = { keepFor: 60_000, keepRefusalFor: 10_000, rate, ...bounds, ...options }
    this.#buckets = new TokenBuckets(ADDRESSES, this.#options.rate)
    this.#expected = new RecentMap(this.#options.entries)
    this.#others = new RecentMap(this.#options.refusals)
  }

  /** Number of stored hashes. */
  get size(): number {
    return this.#expected.size + this.#others.size
  }

  /**
   * @param address address of the client
   * @throws the error of `review`, which is not cached
   */
  verify(token: string, address: string): Promise<Verdict> {
    const hash = digest('sha256', token, 'base64')
    const known = this.#expected.get(hash)
    const kept = known ?? this.#others.get(hash)
    if (kept !== undefined && this.#options.clock.now() < kept.until) return Promise.resolve(kept.verdict)
    const asking = this.#asking.get(hash)
    if (asking !== undefined) return asking
    return known === undefined ? this.#askForStranger(hash, token, address) : this.#ask(hash, token, true)
  }

  async #askForStranger(hash: string, token: string, address: string): Promise<Verdict> {
    const { clock, strangers, isExpected } = this.#options
    const bucket = this.#buckets.of(address, clock.now())
    if (this.#strangers >= strangers || !bucket.take(clock.now())) return { busy: true }
    this.#strangers++
    try {
      const verdict = await this.#ask(hash, token, false)
      // Do not count good tokens: many nodes may share an address, and the first token of each node is unknown.
      if ('user' in verdict && isExpected(verdict.user.username)) bucket.giveBack()
      return verdict
    } finally {
      this.#strangers--
    }
  }

  #ask(hash: string, token: string, known: boolean): Promise<TokenVerdict> {
    const { review } = this.#options
    const asking = review(token, known)
      .then((verdict) => this.#keep(hash, verdict))
      .finally(() => this.#asking.delete(hash))
    this.#asking.set(hash, asking)
    return asking
  }

  #keep(hash: string, verdict: TokenVerdict): TokenVerdict {
    const { clock, keepFor, keepRefusalFor, isExpected } = this.#options
    if ('user' in verdict && isExpected(verdict.user.username)) {
      this.#others.delete(hash)
      this.#expected.set(hash, { verdict, until: clock.now() + keepFor })
    } else {
      this.#expected.delete(hash)
      this.#others.set(hash, { verdict, until: clock.now() + keepRefusalFor })
    }
    return verdict
  }
}
