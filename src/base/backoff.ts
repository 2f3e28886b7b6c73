import type { Random } from './random.ts'

/** Milliseconds. */
export interface BackoffRange {
  /** Of the first delay before jitter. */
  first: number
  /** What no delay exceeds. */
  longest: number
}

/**
 * The delay after so many failures before this one: doubled each time, and drawn evenly from the upper half of its step. Half of it
 * stays, so that there is never a tight loop; half is random, so that many who failed together do not come back together.
 */
export function backoff(failuresBefore: number, { first, longest }: BackoffRange, random: Random): number {
  const step = Math.min(longest, first * 2 ** Math.min(failuresBefore, 64))
  return step / 2 + (step / 2) * random()
}

export interface BackoffOptions extends Partial<BackoffRange> {
  random?: Random
}

/** Counts the failures for `backoff`. Default 800 ms at first, as client-go's reflector, and 30 s at the longest. */
export class Backoff {
  readonly #range: BackoffRange
  readonly #random: Random
  #failures = 0

  constructor({ first = 800, longest = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#range = { first, longest }
    this.#random = random
  }

  /** Milliseconds to wait now; the next call gives about twice as much. */
  next(): number {
    return backoff(this.#failures++, this.#range, this.#random)
  }

  /** Begins again with the first delay: the other side was seen to be well. */
  reset(): void {
    this.#failures = 0
  }
}
