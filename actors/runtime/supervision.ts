import { backoff } from '../../src/base/backoff.ts'
import type { Random } from '../../src/base/random.ts'
import { checkFromZero, checkFromZeroOrForever } from './limits.ts'

/**
 * How a failed actor restarts. A failure concerns one actor and does not affect others. Actors always restart: the
 * state comes from the source of truth, so a later start may succeed.
 */
export interface Supervision {
  /** Backoff after the first failure, in milliseconds; it doubles with each further failure. Default 100. */
  readonly firstBackoff?: number
  /** Longest backoff, in milliseconds. Default 60,000. */
  readonly maxBackoff?: number
  /**
   * Milliseconds without a failure after which the next failure counts as the first; Infinity: never. Default 60,000.
   */
  readonly healthyAfter?: number
  /** Called with each failure, for example to write it to a status. */
  report?(failure: Failure): void
}

/** One failure of one actor. */
export interface Failure {
  readonly address: string
  readonly family: string
  readonly key: string
  /** The thrown error. */
  readonly error: unknown
  /** Name of the behaviour's function that threw. */
  readonly during: 'start' | 'activate' | 'receive' | 'stop'
  /** The current message, if `receive` threw. It is not handled again. */
  readonly message?: unknown
  /** Consecutive failures, including this one. */
  readonly failures: number
  /** Milliseconds until the actor restarts; undefined if it was ending. */
  readonly retryIn?: number
}

/** Delay before the next start of the actor, in milliseconds. */
export function restartDelay(supervision: Supervision, failures: number, random: Random): number {
  const { firstBackoff: first = 100, maxBackoff: max = 60_000 } = supervision
  return backoff(failures - 1, { first, max }, random)
}

/** @throws {RangeError} if a time is invalid */
export function checkSupervision({ firstBackoff = 0, maxBackoff = 0, healthyAfter = 0 }: Supervision): void {
  checkFromZero('The first backoff', firstBackoff)
  checkFromZero('The longest backoff', maxBackoff)
  checkFromZeroOrForever('The time after which an actor counts as healthy', healthyAfter)
}

/** The number of consecutive failures, including the current one. */
export function failuresInARow(supervision: Supervision, before: number, upFor: number): number {
  return upFor >= (supervision.healthyAfter ?? 60_000) ? 1 : before + 1
}
