import { type DeadLetterReason, noDeadLetters } from './dead-letters.ts'

/** What happened so far to the actors of one family. Plain numbers, so it can be sent between threads and exported. */
export interface Stats {
  /** Messages sent to them: by tell, by ask, by timers that fired. */
  readonly sent: number
  /** Messages that were handled, well or not. */
  readonly processed: number
  /** Those of the processed messages that made their actor fail. */
  readonly failed: number
  /** Messages replaced by a newer one of their key; timer messages whose timer was set anew or cancelled in time. */
  readonly coalesced: number
  /** Messages in mailboxes, or in hand right now: `sent` less all that is counted above and below. */
  readonly queued: number
  /** The most messages that one mailbox has held. */
  readonly deepest: number
  readonly deadLetters: Readonly<Record<DeadLetterReason, number>>
  /** How often an actor was started again after a failure. */
  readonly restarts: number
  /** Actors with an instance in memory. */
  readonly live: number
  /** Actors kept in their compact form only. */
  readonly passivated: number
}

/** The counters behind `Stats`: those who count write to them. */
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

/** A copy that stays as it is. */
export const copyStats = (stats: Stats): Stats => ({ ...stats, deadLetters: { ...stats.deadLetters } })

/** Adds up; `deepest` is the deepest of all. */
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
