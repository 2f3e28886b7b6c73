import { cut } from './listing.ts'

/** An actor's error as a text for a status, without the stack, which is in the log. */
export const failureText = (error: unknown): string =>
  `${cut(String(error).replace(/\s+/g, ' '), 500)} (the manager's log has the stack)`
