import type { Random } from './random.ts'

/** Milliseconds. */
export interface BackoffRange {
  /** First delay, before randomization. */
  first: number
  /** Maximum delay. */
  max: number
}

/**
 * The delay after this many earlier failures. The step doubles with each failure, and the delay is random in the upper
 * half of the step: the fixed half prevents a tight loop; the random half spreads clients that failed together.
 */
export function backoff(failuresBefore: number, { first, max }: BackoffRange, random: Random): number {
  const step = Math.min(max, first * 2 ** Math.min(failuresBefore, 64))
  return step / 2 + (step / 2) * random()
}

export interface BackoffOptions extends Partial<BackoffRange> {
  random?: Random
}

/**
 * Counts failures, and gives the delay after each. By default the first delay is 800 ms, as in client-go's reflector,
 * and the maximum is 30 s.
 */
export class Backoff {
  readonly #range: BackoffRange
  readonly #random: Random
  #failures = 0

  constructor({ first = 800, max = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#range = { first, max }
    this.#random = random
  }

  /** Milliseconds to wait now; the next call returns about twice as much. */
  next(): number {
    return backoff(this.#failures++, this.#range, this.#random)
  }

  /** Resets the delay to its first value, after the other side worked again. */
  reset(): void {
    this.#failures = 0
  }
}
