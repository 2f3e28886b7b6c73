import { AssertionError } from 'node:assert'
import type { LogFields, OnlyLogFields } from './log-fields.ts'
import type { Logger } from './logger.ts'

/**
 * Whether the program itself is wrong, in contrast to a server that is away or a request that is refused. Not a SyntaxError: that is
 * what JSON.parse throws at what others wrote.
 */
export const isBug = (error: unknown): boolean =>
  [TypeError, RangeError, ReferenceError, AssertionError].some((kind) => error instanceof kind)

/** Logs what is tried again: as a warning where something outside is in the way; a bug as an error with its stack, and called one. */
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
