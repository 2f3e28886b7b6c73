import { mixed } from '../decode/record-hash.ts'
import { type Attribution, attribute, noProcess } from './attribution.ts'
import type { PidResolver } from './pid-resolver.ts'
import type { Snapshot } from './snapshot.ts'

interface Entry {
  pid: number
  attribution: Attribution
  /** The batch in which the attribution was found. */
  batch: number
}

/** The cache has 2^setBits sets of `ways` entries. A pid may use only the entries of its set. */
const ways = 4
const setBits = 11

const empty: Entry = { pid: -1, attribution: noProcess, batch: 0 }

const isDue = ({ attribution: { fork } }: Entry, resolver: PidResolver): boolean =>
  fork !== undefined && resolver.isDue?.(fork) === true

/** Computes the exact time of the current event, which few events need. */
export interface EventClock {
  /** Unix seconds, with a fraction if the record has one. */
  exactTime(): number
}

/**
 * Attributions of processes in recent batches. A resolver's answer is valid for its batch. An answer of the fork tree
 * is valid for a whole second, unless a pid is reused within this second. A random number decides which pids share
 * entries, so that processes cannot evict the entries of other processes.
 */
export class Attributions {
  readonly #entries: Entry[] = new Array(ways << setBits).fill(empty)
  readonly #multiplier: number
  #batch = 1
  /** The first batch whose answers for one second are still valid. */
  #holdingSince = 1
  #reuses = 0
  /** The entry of the last lookup. */
  #last = empty

  /** @param random a number from 0 to below 1 */
  constructor(random = Math.random()) {
    this.#multiplier = Math.floor(random * 0x1_0000_0000) | 1
  }

  /**
   * @param changed whether facts that attributions depend on have changed
   * @returns whether answers for one second are still valid
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

  /**
   * Whether the entry is valid for the event. In the second in which a process started, an event may belong to the
   * previous process with this pid, so the exact time of the event decides.
   */
  #holds({ attribution, batch }: Entry, eventTime: number): boolean {
    const { second, since, reason } = attribution
    const holds = batch === this.#batch || (reason === undefined && batch >= this.#holdingSince)
    if (second !== 0) return second === eventTime && holds
    return batch === this.#batch && eventTime >= since
  }

  /** The entry for a process, or an entry of another process if this process does not have an entry. */
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

  /**
   * The set of entries for a pid. `mixed` is needed, because the product of one multiplier in some hundreds gives
   * adjacent pids the same set.
   */
  #setOf(pid: number): number {
    return (mixed(Math.imul(pid, this.#multiplier)) >>> (32 - setBits)) * ways
  }

  /** Stores an attribution in the process's own entry, or in the least recently used entry. */
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
