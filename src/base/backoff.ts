import type { Random } from './random.ts'

/** The range of a delay, in milliseconds. */
export interface BackoffRange {
  /** First delay, before randomization. */
  first: number
  /** Maximum delay. */
  max: number
}

/**
 * The delay after this many earlier failures. The step doubles with each failure. Half of the step is fixed, which
 * prevents a tight loop. The other half is random, which spreads clients that failed together.
 */
export function backoff(failuresBefore: number, { first, max }: BackoffRange, random: Random): number {
  const step = Math.min(max, first * 2 ** Math.min(failuresBefore, 64))
  return step / 2 + (step / 2) * random()
}

export interface BackoffOptions extends Partial<BackoffRange> {
  random?: Random
}

/**
 * Counts failures, and returns the delay after each failure. By default, the first delay is 800 ms, as in client-go's
 * reflector, and the maximum is 30 s.
 */
export class Backoff {
  readonly #range: BackoffRange
  readonly #random: Random
  #failures = 0

  constructor({ first = 800, max = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#range = { first, max }
    this.#random = random
  }

  /** Milliseconds to wait now; the next call returns about twice as many. */
  next(): number {
    return backoff(this.#failures++, this.#range, this.#random)
  }

  /** Resets the delay to its first value. Call this when the other side works again. */
  reset(): void {
    this.#failures = 0
  }
}
