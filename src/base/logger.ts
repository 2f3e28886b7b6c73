import type { LogFields, OnlyLogFields } from './log-fields.ts'

type Write = <Fields extends LogFields>(fields: OnlyLogFields<Fields>, message: string) => void

/** The target of a log. A pino logger has this type: it serializes the error in the field `err`. */
export interface Logger {
  debug: Write
  info: Write
  warn: Write
  error: Write
}

const nowhere = (): void => undefined

/** Writes nothing. */
export const noLogger: Logger = { debug: nowhere, info: nowhere, warn: nowhere, error: nowhere }
