import { type DeadLetterReason, noDeadLetters } from './dead-letters.ts'

/**
 * Counts for the actors of one family. All fields are plain numbers, so they can be sent to another thread and
 * exported.
 */
export interface Stats {
  /** Messages sent to the actors by tell, ask and timers. */
  readonly sent: number
  /** Messages handled, with or without a failure. */
  readonly processed: number
  /** Handled messages that made their actor fail. */
  readonly failed: number
  /**
   * Messages that a newer message of the same key replaced, and messages of timers that were reset or cancelled before
   * they were handled.
   */
  readonly coalesced: number
  /** Messages that wait in mailboxes or are being handled: `sent` minus all other counts. */
  readonly queued: number
  /** Maximum length that a mailbox has reached. */
  readonly deepest: number
  readonly deadLetters: Readonly<Record<DeadLetterReason, number>>
  /** Restarts of actors after failures. */
  readonly restarts: number
  /** Actors with an instance in memory. */
  readonly live: number
  /** Passivated actors: only their compact form is in memory. */
  readonly passivated: number
}

/** The writable counters that `Stats` shows. */
export class Counters implements Stats {
  sent = 0
  processed = 0
  failed = 0
  coalesced = 0
  queued = 0
  deepest = 0
  deadLetters: Record<DeadLetterReason, number> = noDeadLetters()
  restarts = 0
  live = 0
  passivated = 0
}

/** A copy of the counters that does not change. */
export const copyStats = (stats: Stats): Stats => ({ ...stats, deadLetters: { ...stats.deadLetters } })

/** Sums all counts; `deepest` is the maximum. */
export function sumStats(all: Iterable<Stats>): Stats {
  const sum = new Counters()
  for (const stats of all) {
    sum.sent += stats.sent
    sum.processed += stats.processed
    sum.failed += stats.failed
    sum.coalesced += stats.coalesced
    sum.queued += stats.queued
    sum.deepest = Math.max(sum.deepest, stats.deepest)
    sum.restarts += stats.restarts
    sum.live += stats.live
    sum.passivated += stats.passivated
    for (const reason of Object.keys(sum.deadLetters) as DeadLetterReason[])
      sum.deadLetters[reason] += stats.deadLetters[reason]
  }
  return copyStats(sum)
}
