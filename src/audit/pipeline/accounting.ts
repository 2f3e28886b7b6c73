import { Histogram } from '../../base/histogram.ts'
import type { BatchResult, EventCount, UnresolvedReason } from '../batch/batch.ts'
import type { PolicyIdentity } from '../enrich/snapshot.ts'

/** Number of events of one kind. `policy` owns their profile; absent if no policy does. */
export interface PolicyEvents extends EventCount {
  policy?: PolicyIdentity
}

/** Seconds. Some milliseconds are usual for netlink, and 250 ms for a polled file; a longer lag means a backlog. */
const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counts of records and lines from all sources. */
export interface Totals {
  /** Records of complete batches. */
  read: number
  /** Lines in the log, including undecodable ones. */
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
 * Accounts for every record. Between two turns of the event loop, this always holds: `read = written + filtered +
 * heldBack + dropped + deferred + queued`. When the pipeline has ended, the last two are zero, and the next pipeline
 * may continue the accounting.
 */
export class Accounting {
  readonly totals: Totals = { read: 0, written: 0, filtered: 0, heldBack: 0, dropped: {}, deferred: 0, queued: 0 }
  /** Written lines with an undecodable record. */
  undecodable = 0
  /** Written lines without a known container, by reason. */
  readonly unresolved: Partial<Record<UnresolvedReason, number>> = {}
  /** Records that an untrusted process sent. Each also counts as filtered or written. */
  untrusted = 0
  /**
   * Seconds from the time of a batch's first record in the kernel to the write of the batch. Each line of the batch
   * counts.
   */
  readonly lag = new Histogram(lagBounds)
  #events = new Map<string, PolicyEvents>()
  #policyOf: (profileName: string) => PolicyIdentity | undefined
  /** Number of entries at which entries of deleted policies are next removed. */
  #sweepAt = 1024

  /**
   * @param policyOf returns the current policy of a profile. A record may name any profile, so all unknown names are
   * counted under ''
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

  /** Number of events by enforcer, action and profile of a policy, as encoded. */
  get events(): PolicyEvents[] {
    return [...this.#events.values()]
  }

  /**
   * Counts a processed batch; its lines go to the sink now.
   * @param again its records were deferred before
   * @param held number of its lines that are held back
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
