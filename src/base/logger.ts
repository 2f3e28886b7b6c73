import type { LogFields, OnlyLogFields } from './log-fields.ts'

type Write = <Fields extends LogFields>(fields: OnlyLogFields<Fields>, message: string) => void

/** The target of a log. A pino logger fits: errors are in the field `err`, which pino serializes. */
export interface Logger {
  debug: Write
  info: Write
  warn: Write
  error: Write
}

const nowhere = (): void => undefined

/** Writes nothing. */
export const noLogger: Logger = { debug: nowhere, info: nowhere, warn: nowhere, error: nowhere }
