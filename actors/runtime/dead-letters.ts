import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'

/** All reasons for a dead letter, that is, a message that is not handled. */
export const deadLetterReasons = [
  /** The mailbox was full. */
  'mailbox-full',
  /** The actor had stopped, was stopping, or stopped while the message was queued. */
  'stopped',
  /** No actor has the address. */
  'unknown-address',
  /** The time to stop was over while the actor still handled the message. */
  'abandoned',
  /** Too many messages are on the way to the actor's thread. */
  'link-full',
  /** The actor's thread died while the message was on the way or in a mailbox. */
  'thread-died',
  /** The message contains a value that cannot be cloned for another thread. */
  'not-clonable',
] as const

export type DeadLetterReason = (typeof deadLetterReasons)[number]

/** Counts dead letters. */
interface Tally {
  readonly deadLetters: Record<DeadLetterReason, number>
}

/** A count of zero for each reason. */
export const noDeadLetters = (): Record<DeadLetterReason, number> => ({
  'mailbox-full': 0,
  stopped: 0,
  'unknown-address': 0,
  abandoned: 0,
  'link-full': 0,
  'thread-died': 0,
  'not-clonable': 0,
})

/** Maximum number of log lines for a reason in each interval. */
const LINES = 10
const INTERVAL = 10_000

interface Window {
  start: number
  logged: number
  suppressed: number
}

/**
 * Counts each dead letter, and logs it unless its reason was logged often recently. The first line after a pause gives
 * the number of omitted lines. A line has only the message's `type`, not its content.
 */
export class DeadLetters {
  private readonly clock: Clock
  private readonly log: Logger
  private readonly windows = new Map<DeadLetterReason, Window>()

  constructor(clock: Clock, log: Logger) {
    this.clock = clock
    this.log = log
  }

  add(reason: DeadLetterReason, address: string, message: unknown, counters: Tally): void {
    counters.deadLetters[reason]++
    this.logOne(reason, address, message)
  }

  /** Counts messages whose content is lost, because their thread died. */
  addMany(reason: DeadLetterReason, address: string, count: number, counters: Tally): void {
    if (count === 0) return
    counters.deadLetters[reason] += count
    this.log.warn({ reason, actor: address, count }, 'dead letters')
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
    this.log.warn(
      { reason, actor: address, type: typeOf(message), ...(suppressed > 0 && { suppressed }) },
      'dead letter',
    )
  }
}

function typeOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'type' in message ? message.type : typeof message
}
