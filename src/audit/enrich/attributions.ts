import { mixed } from '../decode/record-hash.ts'
import { type Attribution, attribute, nobody } from './attribution.ts'
import type { PidResolver } from './pid-resolver.ts'
import type { Snapshot } from './snapshot.ts'

interface Entry {
  pid: number
  attribution: Attribution
  /** The batch in which it was asked for. */
  batch: number
}

/** Places that a pid may have, and of how many each of them is one. */
const ways = 4
const setBits = 11

const empty: Entry = { pid: -1, attribution: nobody, batch: 0 }

const isDue = ({ attribution: { fork } }: Entry, resolver: PidResolver): boolean =>
  fork !== undefined && resolver.isDue?.(fork) === true

/** Where the exact time of the event at hand is found out, which few events need. */
export interface EventClock {
  /** Unix seconds, with a fraction where the record has one. */
  exactTime(): number
}

/**
 * Attributions of the processes of the last batches. What a resolver says holds for the batch for which it was asked, and
 * what was found for one second, as the fork tree does it, for that second, until a pid comes back within one; so each process is
 * asked for once a batch or second, if not KnownRecords knows that it lives on. Which processes share places cannot be chosen: the
 * places of a pid depend on a random number.
 */
export class Attributions {
  readonly #entries: Entry[] = new Array(ways << setBits).fill(empty)
  readonly #multiplier: number
  #batch = 1
  /** The first batch whose answers for a second still hold. */
  #holdingSince = 1
  #reuses = 0
  /** Of the last process that was looked for. */
  #last = empty

  /** @param random a number from 0 to below 1 */
  constructor(random = Math.random()) {
    this.#multiplier = Math.floor(random * 0x1_0000_0000) | 1
  }

  /**
   * @param changed something that attributions depend on is another one now.
   * @returns whether what was found for one second still holds
   */
  beginBatch(resolver: PidResolver, changed: boolean): boolean {
    this.#batch++
    resolver.beginBatch()
    const reuses = resolver.reuses?.() ?? 0
    const held = reuses === this.#reuses
    if (!held) this.#holdingSince = this.#batch
    this.#reuses = reuses
    if (changed) {
      this.#entries.fill(empty)
      this.#last = empty
    }
    return held
  }

  find(
    pid: number,
    eventTime: number,
    snapshot: Snapshot,
    resolver: PidResolver,
    clock?: EventClock,
    payer = '',
  ): Attribution {
    const entry = this.#entryOf(pid)
    if (entry.pid === pid && this.#holds(entry, eventTime) && !isDue(entry, resolver)) return entry.attribution
    const attribution = attribute(pid, clock?.exactTime() ?? eventTime, snapshot, resolver, payer)
    this.#keep(pid, attribution, entry.pid === pid ? entry : undefined)
    return attribution
  }

  /** An event in the second in which a process began may be of the one before it: then the exact time decides. */
  #holds({ attribution, batch }: Entry, eventTime: number): boolean {
    const { second, since, reason } = attribution
    const holds = batch === this.#batch || (reason === undefined && batch >= this.#holdingSince)
    if (second !== 0) return second === eventTime && holds
    return batch === this.#batch && eventTime >= since
  }

  /** Of another process where this one has none. */
  #entryOf(pid: number): Entry {
    const last = this.#last
    if (last.pid === pid) return last
    const first = this.#setOf(pid)
    for (let place = first; place < first + ways; place++) {
      const entry = this.#entries[place]!
      if (entry.pid !== pid) continue
      this.#last = entry
      return entry
    }
    return empty
  }

  /** By the product alone neighbours would share places, with one multiplier in some hundreds. */
  #setOf(pid: number): number {
    return (mixed(Math.imul(pid, this.#multiplier)) >>> (32 - setBits)) * ways
  }

  /** In its own place, or in that of the process that was asked for least lately. */
  #keep(pid: number, attribution: Attribution, own: Entry | undefined): void {
    const batch = this.#batch
    if (own !== undefined) {
      own.attribution = attribution
      own.batch = batch
      return
    }
    const first = this.#setOf(pid)
    let oldest = first
    for (let place = first + 1; place < first + ways; place++)
      if (this.#entries[place]!.batch < this.#entries[oldest]!.batch) oldest = place
    const entry = { pid, attribution, batch }
    this.#entries[oldest] = entry
    this.#last = entry
  }
}
