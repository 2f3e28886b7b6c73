import type { AskErrorCode } from './ask.ts'

/** Who waits for the reply to a message. */
export interface Asker {
  readonly kind: 'ask'
  settled: boolean
  /** Settles it; a second time, or after its time limit, nothing happens. */
  answer(value: unknown): void
  fail(code: AskErrorCode, cause?: unknown): void
}

/** A timer of an actor, as the origin of the message that it sends. */
export interface DueTimer {
  readonly kind: 'timer'
  readonly key: string
  /** False once it was cancelled or set anew: then its message, if still queued, is skipped. */
  live: boolean
}

/** Where a message in a mailbox came from, beside its contents. One that was sent with `tell` has none. */
export type Origin = Asker | DueTimer
