import type { Random } from '../../base/random.ts'

/** Milliseconds. */
export interface BackoffRange {
  readonly shortest: number
  readonly longest: number
}

/** How long to wait after so many failures in a row: twice as long each time, within the range, and up to a fifth more. */
export function backoff(failures: number, { shortest, longest }: BackoffRange, random: Random): number {
  return Math.min(longest, shortest * 2 ** Math.min(failures, 30)) * (1 + random() / 5)
}
