import type { Random } from './clock.ts'

export interface BackoffOptions {
  /** Milliseconds of the first delay before jitter. Default 800, as client-go's reflector. */
  first?: number
  /** Milliseconds that no delay exceeds. Default 30,000. */
  longest?: number
  random?: Random
}

/**
 * Exponential delays, doubled each time, each drawn evenly from the upper half of its step: [step/2, step].
 * Half of it stays, so that there is never a tight loop; half is random, so that many clients do not come back at once.
 */
export class Backoff {
  #first: number
  #longest: number
  #random: Random
  #step: number

  constructor({ first = 800, longest = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#first = first
    this.#longest = longest
    this.#random = random
    this.#step = first
  }

  /** Milliseconds to wait now; the next call gives about twice as much. */
  next(): number {
    const step = this.#step
    this.#step = Math.min(this.#longest, step * 2)
    return step / 2 + (step / 2) * this.#random()
  }

  /** Begins again with the first delay: the other side was seen to be well. */
  reset(): void {
    this.#step = this.#first
  }
}
