import type { LogFields, OnlyLogFields } from './log-fields.ts'

type Write = <Fields extends LogFields>(fields: OnlyLogFields<Fields>, message: string) => void

/** Where a log goes. A pino logger is one: errors are in the field `err`, the one that pino writes out. */
export interface Logger {
  debug: Write
  info: Write
  warn: Write
  error: Write
}

const nowhere = (): void => undefined

/** Writes nothing. */
export const noLogger: Logger = { debug: nowhere, info: nowhere, warn: nowhere, error: nowhere }
