/** The part of pino that is used. */
export interface Logger {
  info(context: object, message: string): void
  warn(context: object, message: string): void
  error(context: object, message: string): void
}
