import type { Random } from './random.ts'

/** Milliseconds. */
export interface BackoffRange {
  /** First delay before jitter. */
  first: number
  /** Maximum delay. */
  max: number
}

/**
 * The delay after this many earlier failures: doubled each time, then random in the upper half of its step. The fixed
 * half prevents a tight loop; the random half keeps clients that failed together from returning together.
 */
export function backoff(failuresBefore: number, { first, max }: BackoffRange, random: Random): number {
  const step = Math.min(max, first * 2 ** Math.min(failuresBefore, 64))
  return step / 2 + (step / 2) * random()
}

export interface BackoffOptions extends Partial<BackoffRange> {
  random?: Random
}

/** Counts the failures for `backoff`. Default 800 ms at first, as client-go's reflector, and at most 30 s. */
export class Backoff {
  readonly #range: BackoffRange
  readonly #random: Random
  #failures = 0

  constructor({ first = 800, max = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#range = { first, max }
    this.#random = random
  }

  /** Milliseconds to wait now; the next call gives about twice as much. */
  next(): number {
    return backoff(this.#failures++, this.#range, this.#random)
  }

  /** Restarts with the first delay: the other side was seen to be healthy. */
  reset(): void {
    this.#failures = 0
  }
}
