import { backoff } from '../../src/base/backoff.ts'
import type { Random } from '../../src/base/random.ts'
import { checkCount, checkFromZero, checkFromZeroOrForever } from './limits.ts'

/** What happens to an actor that failed: it is started anew, it ends, or its parent fails in its stead. */
export type Decision = 'restart' | 'stop' | 'escalate'

/** How an actor is looked after. One failure concerns one actor: its siblings never notice. */
export interface Supervision {
  /** The backoff after the first failure, in milliseconds; it doubles with each further one. 100 unless given. */
  readonly firstBackoff?: number
  /** Where the backoff stops growing, in milliseconds. 60,000 unless given. */
  readonly longestBackoff?: number
  /** After this many milliseconds without a failure the next one counts as the first; with Infinity never. 60,000 unless given. */
  readonly healthyAfter?: number
  /** Stop the actor at this many failures in a row. Unless given, nothing is ever given up. */
  readonly giveUpAfter?: number
  /** Decides on a failure; `failures` is the number in a row, with this one. Unless given: `restart`, always. */
  decide?(error: unknown, failures: number): Decision
  /** Told of each failure, after the decision. */
  report?(failure: Failure): void
}

/** One failure of one actor. */
export interface Failure {
  readonly address: string
  /** The actor's family; empty for one that was spawned. */
  readonly family: string
  readonly key: string
  /** What was thrown. */
  readonly error: unknown
  /** In which function of the behaviour it was thrown; `child` when a child escalated. */
  readonly during: 'start' | 'activate' | 'receive' | 'stop' | 'child'
  /** The message in hand, when it was `receive`. It is not handled again. */
  readonly message?: unknown
  /** The number of failures in a row, with this one. */
  readonly failures: number
  readonly decision: Decision
  /** In how many milliseconds the actor starts again, when the decision is `restart`. */
  readonly retryIn?: number
}

/** How long to wait before the next start. */
export function restartDelay(supervision: Supervision, failures: number, random: Random): number {
  const { firstBackoff: first = 100, longestBackoff: longest = 60_000 } = supervision
  return backoff(failures - 1, { first, longest }, random)
}

/** @throws {RangeError} if a time or the count is none */
export function checkSupervision(supervision: Supervision): void {
  const { firstBackoff = 0, longestBackoff = 0, healthyAfter = 0, giveUpAfter = Number.POSITIVE_INFINITY } = supervision
  checkFromZero('The first backoff', firstBackoff)
  checkFromZero('The longest backoff', longestBackoff)
  checkFromZeroOrForever('The time after which an actor counts as healthy', healthyAfter)
  if (giveUpAfter !== Number.POSITIVE_INFINITY) checkCount('The number of failures to give up at', giveUpAfter)
}

/** The number of failures in a row after one more. */
export function failuresInARow(supervision: Supervision, before: number, upFor: number): number {
  return upFor >= (supervision.healthyAfter ?? 60_000) ? 1 : before + 1
}

export function decide(supervision: Supervision, error: unknown, failures: number): Decision {
  if (failures >= (supervision.giveUpAfter ?? Number.POSITIVE_INFINITY)) return 'stop'
  return supervision.decide?.(error, failures) ?? 'restart'
}
