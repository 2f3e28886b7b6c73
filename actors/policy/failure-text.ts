import { cut } from './listing.ts'

/** An actor's error for a status. Only the log has the stack. */
export const failureText = (error: unknown): string =>
  `${cut(String(error).replace(/\s+/g, ' '), 500)} (the manager's log has the stack)`
