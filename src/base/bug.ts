import { AssertionError } from 'node:assert'
import type { LogFields, OnlyLogFields } from './log-fields.ts'
import type { Logger } from './logger.ts'

/**
 * Whether the error is a bug of this program, and not a missing server or a refused request. A SyntaxError is not a
 * bug, because JSON.parse throws this error for texts from other programs.
 */
export const isBug = (error: unknown): boolean =>
  [TypeError, RangeError, ReferenceError, AssertionError].some((kind) => error instanceof kind)

/** Logs a failure before its retry: an external failure as a warning; a bug as an error, with its stack and a mark. */
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
