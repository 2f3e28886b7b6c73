import { hash as digest } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { RecentMap } from '../../kube/recent-map.ts'
import type { TokenVerdict } from '../../kube/token-review.ts'

export interface TokenVerifierOptions {
  /** Asks the API server. Throws when it cannot say. */
  review: (token: string) => Promise<TokenVerdict>
  clock: Clock
  /** Milliseconds for which an answer counts: a token that was taken back is good for so long. Default 60,000, at most. */
  keepFor?: number
  /** Milliseconds for which a refusal counts. Default 10,000. */
  keepRefusalFor?: number
  /** Answers kept. Default 20,000. */
  entries?: number
}

interface Kept {
  verdict: TokenVerdict
  until: number
}

/** Says whose a token is, asking once for a token at a time and once a minute. Keeps hashes, never tokens. */
export class TokenVerifier {
  #options: Required<TokenVerifierOptions>
  #kept: RecentMap<string, Kept>
  #asking = new Map<string, Promise<TokenVerdict>>()

  constructor(options: TokenVerifierOptions) {
    this.#options = { keepFor: 60_000, keepRefusalFor: 10_000, entries: 20_000, ...options }
    this.#kept = new RecentMap(this.#options.entries)
  }

  /** @throws what `review` throws; nothing of it is kept */
  verify(token: string): Promise<TokenVerdict> {
    const hash = digest('sha256', token, 'base64')
    const kept = this.#kept.get(hash)
    if (kept !== undefined && this.#options.clock.now() < kept.until) return Promise.resolve(kept.verdict)
    const asking = this.#asking.get(hash) ?? this.#ask(hash, token)
    return asking
  }

  #ask(hash: string, token: string): Promise<TokenVerdict> {
    const { review, clock, keepFor, keepRefusalFor } = this.#options
    const asking = review(token)
      .then((verdict) => {
        const time = 'refused' in verdict ? keepRefusalFor : keepFor
        this.#kept.set(hash, { verdict, until: clock.now() + time })
        return verdict
      })
      .finally(() => this.#asking.delete(hash))
    this.#asking.set(hash, asking)
    return asking
  }
}
