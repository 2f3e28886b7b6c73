import type { AskErrorCode } from './ask.ts'

/** Who waits for the reply to a message. */
export interface Asker {
  readonly kind: 'ask'
  settled: boolean
  /** The actor has promised to reply after the message is done. */
  deferred: boolean
  /** Settles it; a second time, or after its time limit, nothing happens. */
  answer(value: unknown): void
  fail(code: AskErrorCode, cause?: unknown): void
}

/** A timer of an actor, as the mark of the message that it sends. */
export interface DueTimer {
  readonly kind: 'timer'
  readonly key: string
  /** False once it was cancelled or set anew: then its message, if still queued, is skipped. */
  live: boolean
  /** Its message is in the mailbox. A repeating timer waits for that one to be handled. */
  queued: boolean
}

/** News of a watched actor. */
export interface News {
  readonly kind: 'news'
}

/** A child's failure that the child was told not to deal with itself. */
export interface Escalation {
  readonly kind: 'escalation'
  readonly error: unknown
}

/** What is known of a message in a mailbox beside its contents. A told message has none. */
export type Mark = Asker | DueTimer | News | Escalation

export const news: News = { kind: 'news' }
