/** Where a log goes. A pino logger is one: errors are in the field `err`, the one that pino writes out. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nowhere = (): void => undefined

/** Writes nothing. */
export const noLogger: Logger = { debug: nowhere, info: nowhere, warn: nowhere, error: nowhere }
