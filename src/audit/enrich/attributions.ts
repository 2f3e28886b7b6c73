import type { Label } from '../encode/labels.ts'
import { type Attribution, attribute, nobody } from './attribution.ts'
import type { PidResolver } from './pid-resolver.ts'
import type { Snapshot } from './snapshot.ts'

interface Entry {
  pid: number
  attribution: Attribution
  /** The label that the last record of this process had: mostly the next one has it too. */
  label: Label | undefined
  /** `Attributions.#stamp` at the time for what was found, the negative number of the batch for what was not. */
  stamp: number
}

const places = 8192
const empty: Entry = {
  pid: -1,
  attribution: nobody,
  label: undefined,
  stamp: 0,
}

/**
 * Attributions of the processes of the last batches, one place a pid modulo their number. What was found is kept while
 * snapshot and resolver say the same; what was not is asked for again in each batch, and only once in it.
 */
export class Attributions {
  readonly #entries: Entry[] = new Array(places).fill(empty)
  #stamp = 1
  #batch = 1
  #generation = 0

  /** @param changed something that attributions or labels depend on is another one now. */
  beginBatch(resolver: PidResolver, changed: boolean): void {
    this.#batch++
    if (!changed && resolver.generation === this.#generation) return
    this.#generation = resolver.generation
    this.#stamp++
    if (changed) this.#entries.fill(empty)
  }

  find(pid: number, eventTime: number, snapshot: Snapshot, resolver: PidResolver): Attribution {
    const place = pid & (places - 1)
    const entry = this.#entries[place]!
    if (this.#isValid(entry, pid)) {
      const { second, since } = entry.attribution
      if (second === 0 ? eventTime + 1 >= since : eventTime === second) return entry.attribution
    }
    const attribution = attribute(pid, eventTime, snapshot, resolver)
    const stamp = attribution.reason === undefined ? this.#stamp : -this.#batch
    this.#entries[place] = { pid, attribution, label: entry.pid === pid ? entry.label : undefined, stamp }
    return attribution
  }

  /** The last label of the process, if it is known; whether it still holds is for the caller to compare. */
  lastLabel(pid: number): Label | undefined {
    const entry = this.#entries[pid & (places - 1)]!
    return entry.pid === pid ? entry.label : undefined
  }

  noteLabel(pid: number, label: Label): void {
    const entry = this.#entries[pid & (places - 1)]!
    if (entry.pid === pid) entry.label = label
  }

  #isValid(entry: Entry, pid: number): boolean {
    return entry.pid === pid && (entry.stamp === this.#stamp || entry.stamp === -this.#batch)
  }
}
