import type { AskErrorCode } from './ask.ts'

/** The caller that waits for the reply to a message. */
export interface Asker {
  readonly kind: 'ask'
  settled: boolean
  /** Settles the request. A second call, or a call after the timeout, does nothing. */
  answer(value: unknown): void
  fail(code: AskErrorCode, cause?: unknown): void
}

/** A timer of an actor, as the origin of the message that it sends. */
export interface DueTimer {
  readonly kind: 'timer'
  readonly key: string
  /** False after the timer was cancelled or reset: its queued message is skipped. */
  live: boolean
}

/** Where a message in a mailbox came from. A message sent with `tell` has no origin. */
export type Origin = Asker | DueTimer
