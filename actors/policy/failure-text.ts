import { cut } from './listing.ts'

/** What an actor threw, as a status shows it. The stack is for those who can read the log. */
export const failureText = (error: unknown): string =>
  `${cut(String(error).replace(/\s+/g, ' '), 500)} (the manager's log has the stack)`
