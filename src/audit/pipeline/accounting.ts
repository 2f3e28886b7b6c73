import { Histogram } from '../../base/histogram.ts'
import type { BatchResult, EventCount, UnresolvedReason } from '../batch/batch.ts'
import type { PolicyIdentity } from '../enrich/snapshot.ts'

/** Events of one kind; `policy` is the one whose profile it was, and is left out where no policy had it. */
export interface PolicyEvents extends EventCount {
  policy?: PolicyIdentity
}

/** Seconds: of netlink some milliseconds are usual, of a file followed by looking every 250 ms; above are backlogs. */
const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counts of records and lines from all sources. */
export interface Totals {
  /** Records that came in whole batches. */
  read: number
  /** Lines in the log, undecodable ones among them. */
  written: number
  filtered: number
  /** Lines that the rate of their container held back from the log. */
  heldBack: number
  /** Lines that never got into the log, by reason. */
  dropped: Record<string, number>
  /** Records that wait for late information about their container. */
  deferred: number
  /** Lines that wait for the disk. */
  queued: number
}

/**
 * Where every record is. At every moment, between two turns of the event loop:
 *
 *     read = written + filtered + heldBack + dropped + deferred + queued
 *
 * Once the pipeline has ended the last two are zero, and the next one may go on with the same accounting.
 */
export class Accounting {
  readonly totals: Totals = { read: 0, written: 0, filtered: 0, heldBack: 0, dropped: {}, deferred: 0, queued: 0 }
  /** Of the written lines, those that hold a record that could not be decoded. */
  undecodable = 0
  /** Of the written lines, those that say why their container is not known. */
  readonly unresolved: Partial<Record<UnresolvedReason, number>> = {}
  /** Records that a process has sent and nobody vouches for; they are among the filtered ones, or the written ones. */
  untrusted = 0
  /** Seconds from the kernel's time of the first record of a batch to when the batch was written, for each of its lines. */
  readonly lag = new Histogram(lagBounds)
  #events = new Map<string, PolicyEvents>()
  #policyOf: (profileName: string) => PolicyIdentity | undefined
  /** Entries, from which on those of policies that are gone are looked for. */
  #sweepAt = 1024

  /** @param policyOf which policy has this profile now. A record may name any: other names are counted together, as ''. */
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

  /** Events by enforcer, action and profile of a policy, as they were encoded. */
  get events(): PolicyEvents[] {
    return [...this.#events.values()]
  }

  /**
   * A batch was processed; its lines go to the sink now.
   * @param again its records were deferred before.
   * @param held of its lines are held back.
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

  /** The sink is done with lines. */
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
