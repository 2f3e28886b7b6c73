import { newline } from '../../base/bytes.ts'
import type { Reached } from './loss-log.ts'

/** How many lines of an offer were written and dropped. */
export interface OfferResult {
  written: number
  dropped: number
  /** Why lines were dropped. */
  reason?: string
}

export interface Offer {
  /** Complete lines. Do not change this memory before `settle` is called. */
  bytes: Uint8Array
  lines: number
  /** Whether the lines may be dropped when the queue is full, because the source cannot wait. */
  lossy: boolean
  /** The source of the lines. A line may report their loss when `reached` has called back. */
  from?: { source: string; reached: Reached }
  settle: (fate: OfferResult) => void
}

/** Pieces with fewer bytes are joined, because separate writes cost more (measured in bench/pipeline). */
const small = 64 * 1024
/** Maximum bytes of joined pieces. */
const large = 512 * 1024

interface Waiting extends Offer {
  since: number
  /** Bytes already written. */
  at: number
  writtenLines?: number
}

/** Lines that wait to be written, in pieces that are large enough for a write. */
export class LineQueue {
  #waiting: Waiting[] = []
  #gathered = new Uint8Array(large)
  bytes = 0
  lines = 0

  /** When the first waiting line arrived. */
  get oldest(): number | undefined {
    return this.#waiting[0]?.since
  }

  /** @param since time of the arrival, by any clock */
  push(offer: Offer, since = 0): void {
    this.#waiting.push({ ...offer, since, at: 0 })
    this.bytes += offer.bytes.length
    this.lines += offer.lines
  }

  /**
   * The next complete lines, valid until the next call. Without a `confirm`, the next call returns the same lines.
   * @param max requested bytes. The result may be somewhat longer, because it does not cut lines and avoids small
   * pieces
   */
  next(max: number): Uint8Array | undefined {
    const [first, second] = this.#waiting
    if (first === undefined) return undefined
    const rest = first.bytes.length - first.at
    const wanted = Math.max(max, small)
    if (rest > wanted) return first.bytes.subarray(first.at, endOfPiece(first.bytes, first.at, wanted))
    if (rest >= small || second === undefined) return first.bytes.subarray(first.at)
    return this.#gather(Math.min(wanted, large))
  }

  /** Marks the first bytes of the last piece as written. They must end with a line. */
  confirm(bytes: number): void {
    let left = bytes
    let done = 0
    for (const waiting of this.#waiting) {
      const taken = Math.min(left, waiting.bytes.length - waiting.at)
      waiting.at += taken
      left -= taken
      this.bytes -= taken
      if (waiting.at < waiting.bytes.length) break
      done++
    }
    for (const { lines, settle } of this.#waiting.splice(0, done)) {
      this.lines -= lines
      settle({ written: lines, dropped: 0 })
    }
  }

  /** Removes all offers. @returns them, with the number of already written lines */
  takeAll(): (Offer & { writtenLines: number })[] {
    const all = this.#waiting.map((waiting) => ({ ...waiting, writtenLines: countLines(waiting) }))
    this.#waiting = []
    this.bytes = 0
    this.lines = 0
    return all
  }

  #gather(max: number): Uint8Array {
    let length = 0
    for (const { bytes, at } of this.#waiting) {
      if (length + bytes.length - at > max) break
      this.#gathered.set(bytes.subarray(at), length)
      length += bytes.length - at
    }
    return this.#gathered.subarray(0, length)
  }
}

function countLines({ bytes, at, lines }: Waiting): number {
  let count = 0
  for (let end = bytes.indexOf(newline); end !== -1 && end < at; end = bytes.indexOf(newline, end + 1)) count++
  return Math.min(count, lines)
}

/** The end of the last line within `length` bytes; the end of the first line if it is longer than `length`. */
function endOfPiece(bytes: Uint8Array, start: number, length: number): number {
  const last = bytes.lastIndexOf(newline, start + length - 1)
  return (last >= start ? last : bytes.indexOf(newline, start)) + 1
}
