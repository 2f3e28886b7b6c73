import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'

/** Every way in which a message can come to nothing. */
export const deadLetterReasons = [
  /** The mailbox was full, and its policy is to reject. */
  'mailbox-full',
  /** The mailbox was full, and a newer message took the place of this one, the oldest. */
  'dropped-oldest',
  /** The actor had stopped, or was stopping, or stopped with the message still queued. */
  'stopped',
  /** No actor has the address. */
  'unknown-address',
  /** The actor was stopped for good while it still worked on the message, because its time to stop was over. */
  'abandoned',
  /** More messages are on the way to the thread than its link allows. */
  'link-full',
  /** The thread died with the message on the way or in a mailbox. */
  'thread-died',
  /** The message holds a value that can't be sent to another thread. */
  'not-clonable',
] as const

export type DeadLetterReason = (typeof deadLetterReasons)[number]

/** Where dead letters are counted. */
interface Tally {
  readonly deadLetters: Record<DeadLetterReason, number>
}

export interface DeadLetter {
  readonly reason: DeadLetterReason
  /** The actor that was to get it. */
  readonly address: string
  readonly message: unknown
}

/** A count for each reason, all zero. */
export const noDeadLetters = (): Record<DeadLetterReason, number> => ({
  'mailbox-full': 0,
  'dropped-oldest': 0,
  stopped: 0,
  'unknown-address': 0,
  abandoned: 0,
  'link-full': 0,
  'thread-died': 0,
  'not-clonable': 0,
})

/** At most this many lines are logged for a reason in each interval. */
const LINES = 10
const INTERVAL = 10_000

interface Window {
  start: number
  logged: number
  suppressed: number
}

/**
 * Counts each dead letter, hands it to the listener, and logs it unless its reason was logged often of late. The first
 * line after a quiet spell says how many were left out. Contents are not logged, only the message's `type`.
 */
export class DeadLetters {
  private readonly clock: Clock
  private readonly log: Logger
  private readonly listener: ((letter: DeadLetter) => void) | undefined
  private readonly windows = new Map<DeadLetterReason, Window>()

  constructor(clock: Clock, log: Logger, listener: ((letter: DeadLetter) => void) | undefined) {
    this.clock = clock
    this.log = log
    this.listener = listener
  }

  add(reason: DeadLetterReason, address: string, message: unknown, counters: Tally): void {
    counters.deadLetters[reason]++
    this.logOne(reason, address, message)
    if (this.listener === undefined) return
    try {
      this.listener({ reason, address, message })
    } catch (error) {
      // Whoever sent the message is on the stack: the listener's bug is not the sender's.
      this.log.error({ err: error }, 'a listener for dead letters failed')
    }
  }

  /** Counts letters whose contents are gone: those that were in a thread when it died. */
  addMany(reason: DeadLetterReason, address: string, count: number, counters: Tally): void {
    if (count === 0) return
    counters.deadLetters[reason] += count
    this.log.warn({ reason, address, count }, 'dead letters')
  }

  private logOne(reason: DeadLetterReason, address: string, message: unknown): void {
    const now = this.clock.now()
    const window = this.windows.get(reason) ?? { start: now, logged: 0, suppressed: 0 }
    this.windows.set(reason, window)
    if (now - window.start >= INTERVAL) {
      window.start = now
      window.logged = 0
    }
    if (window.logged >= LINES) {
      window.suppressed++
      return
    }
    window.logged++
    const { suppressed } = window
    window.suppressed = 0
    this.log.warn({ reason, address, type: typeOf(message), ...(suppressed > 0 && { suppressed }) }, 'dead letter')
  }
}

function typeOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'type' in message ? message.type : typeof message
}
