import { AssertionError } from 'node:assert'
import type { LogFields, OnlyLogFields } from './log-fields.ts'
import type { Logger } from './logger.ts'

/**
 * Whether the program itself is at fault, not a missing server or a refused request. Not a SyntaxError: JSON.parse
 * throws it for other programs' texts.
 */
export const isBug = (error: unknown): boolean =>
  [TypeError, RangeError, ReferenceError, AssertionError].some((kind) => error instanceof kind)

/**
 * Logs a failure that is retried: an external cause as a warning, a bug as an error with its stack, marked as a bug.
 */
export function logTrouble<Fields extends LogFields>(
  logger: Pick<Logger, 'warn' | 'error'>,
  error: unknown,
  fields: OnlyLogFields<Fields>,
  message: string,
): void {
  const known: LogFields = fields
  if (isBug(error)) logger.error({ ...known, err: error }, `a bug: ${message}`)
  else logger.warn(known, message)
}
