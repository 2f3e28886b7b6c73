/** So many at once, and then one after each `refill` milliseconds. */
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
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#refill)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** What was taken is not to count. */
  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1)
  }
}
