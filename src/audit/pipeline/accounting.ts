import { Histogram } from '../../base/histogram.ts'
import type { BatchResult, EventCount, UnresolvedReason } from '../batch/batch.ts'
import type { PolicyIdentity } from '../enrich/snapshot.ts'

/** Number of events of one kind. `policy` owns the profile of the events; it is absent if the profile has no policy. */
export interface PolicyEvents extends EventCount {
  policy?: PolicyIdentity
}

/** Seconds. A lag of some milliseconds is usual for netlink, 250 ms for a polled file. A longer lag means a backlog. */
const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counts of records and lines from all sources. */
export interface Totals {
  /** Records of complete batches. */
  read: number
  /** Lines in the log, including lines with an undecodable record. */
  written: number
  filtered: number
  /** Lines held back from the log because their container exceeded its rate. */
  heldBack: number
  /** Lines that never reached the log, by reason. */
  dropped: Record<string, number>
  /** Records that wait for information about their container. */
  deferred: number
  /** Lines that wait for the disk. */
  queued: number
}

/**
 * Accounts for every record. Between two turns of the event loop, `read = written + filtered + heldBack + dropped +
 * deferred + queued` always holds. When the pipeline has ended, `deferred` and `queued` are zero, and the next pipeline
 * may continue with these counts.
 */
export class Accounting {
  readonly totals: Totals = { read: 0, written: 0, filtered: 0, heldBack: 0, dropped: {}, deferred: 0, queued: 0 }
  /** Written lines with an undecodable record. */
  undecodable = 0
  /** Written lines without a known container, by reason. */
  readonly unresolved: Partial<Record<UnresolvedReason, number>> = {}
  /** Records that an untrusted process sent. Each record also counts as filtered or written. */
  untrusted = 0
  /**
   * Seconds from the kernel's time stamp of a batch's first record until the batch is written. Each line of the batch
   * is an observation.
   */
  readonly lag = new Histogram(lagBounds)
  #events = new Map<string, PolicyEvents>()
  #policyOf: (profileName: string) => PolicyIdentity | undefined
  /** When `#events` has this many entries, the entries of deleted policies are removed. */
  #sweepAt = 1024

  /**
   * @param policyOf returns the current policy of a profile. Events of a profile without a policy are counted under '',
   * because a record may name any profile
   */
  constructor(policyOf: (profileName: string) => PolicyIdentity | undefined) {
    this.#policyOf = policyOf
  }

  get dropped(): number {
    return Object.values(this.totals.dropped).reduce((sum, count) => sum + count, 0)
  }

  get balanced(): boolean {
    const { read, written, filtered, heldBack, deferred, queued } = this.totals
    return read === written + filtered + heldBack + this.dropped + deferred + queued
  }

  /** Number of events by enforcer, action and profile. */
  get events(): PolicyEvents[] {
    return [...this.#events.values()]
  }

  /**
   * Counts the result of a batch, whose lines the caller now passes to the sink.
   * @param again whether the batch consists of records that were deferred before
   * @param held number of lines that are held back
   */
  processed(result: BatchResult, again: boolean, held = 0): void {
    const { totals, unresolved } = this
    const deferred = result.deferred.reduce((sum, { records }) => sum + records, 0)
    if (again) totals.deferred -= result.read
    else totals.read += result.read
    totals.filtered += result.filtered
    totals.deferred += deferred
    totals.queued += result.written + result.undecodable - held
    totals.heldBack += held
    this.undecodable += result.undecodable
    this.untrusted += result.untrusted
    for (const [reason, count] of Object.entries(result.unresolved) as [UnresolvedReason, number][])
      unresolved[reason] = (unresolved[reason] ?? 0) + count
    for (const count of result.counts) this.#count(count)
  }

  /** Counts lines that the sink has written or dropped. */
  settled(written: number, dropped: number, reason: string | undefined): void {
    const { totals } = this
    totals.queued -= written + dropped
    totals.written += written
    if (dropped > 0) totals.dropped[reason ?? 'unknown'] = (totals.dropped[reason ?? 'unknown'] ?? 0) + dropped
  }

  #count({ enforcer, action, profileName: named, events }: EventCount): void {
    const policy = this.#policyOf(named)
    const profileName = policy === undefined ? '' : named
    const key = `${enforcer} ${action} ${profileName}`
    const known = this.#events.get(key)
    if (known !== undefined) {
      known.events += events
      return
    }
    this.#events.set(key, { enforcer, action, profileName, events, ...(policy !== undefined && { policy }) })
    if (this.#events.size >= this.#sweepAt) this.#sweep()
  }

  #sweep(): void {
    const gone = [...this.#events].filter(([, { profileName, policy }]) => policy && !this.#policyOf(profileName))
    this.#sweepAt = Math.max(1024, (this.#events.size - gone.length) * 2)
    for (const [key] of gone) this.#events.delete(key)
    for (const [, count] of gone) this.#count({ ...count, profileName: '' })
  }
}
