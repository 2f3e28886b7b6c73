import { backoff } from '../../src/base/backoff.ts'
import type { Random } from '../../src/base/random.ts'
import { checkFromZero, checkFromZeroOrForever } from './limits.ts'

/**
 * How an actor that failed is started again. One failure concerns one actor: its siblings never notice. Nothing is ever given up: the
 * state comes from what holds the truth, so a later start may go well.
 */
export interface Supervision {
  /** The backoff after the first failure, in milliseconds; it doubles with each further one. 100 unless given. */
  readonly firstBackoff?: number
  /** Where the backoff stops growing, in milliseconds. 60,000 unless given. */
  readonly longestBackoff?: number
  /** After this many milliseconds without a failure the next one counts as the first; with Infinity never. 60,000 unless given. */
  readonly healthyAfter?: number
  /** Called with each failure, such as to put it on a status. */
  report?(failure: Failure): void
}

/** One failure of one actor. */
export interface Failure {
  readonly address: string
  readonly family: string
  readonly key: string
  /** What was thrown. */
  readonly error: unknown
  /** In which function of the behaviour it was thrown. */
  readonly during: 'start' | 'activate' | 'receive' | 'stop'
  /** The message in hand, when it was `receive`. It is not handled again. */
  readonly message?: unknown
  /** The number of failures in a row, with this one. */
  readonly failures: number
  /** In how many milliseconds the actor starts again; undefined when it was ending. */
  readonly retryIn?: number
}

/** How long to wait before the next start. */
export function restartDelay(supervision: Supervision, failures: number, random: Random): number {
  const { firstBackoff: first = 100, longestBackoff: longest = 60_000 } = supervision
  return backoff(failures - 1, { first, longest }, random)
}

/** @throws {RangeError} if a time is none */
export function checkSupervision({ firstBackoff = 0, longestBackoff = 0, healthyAfter = 0 }: Supervision): void {
  checkFromZero('The first backoff', firstBackoff)
  checkFromZero('The longest backoff', longestBackoff)
  checkFromZeroOrForever('The time after which an actor counts as healthy', healthyAfter)
}

/** The number of failures in a row after one more. */
export function failuresInARow(supervision: Supervision, before: number, upFor: number): number {
  return upFor >= (supervision.healthyAfter ?? 60_000) ? 1 : before + 1
}
