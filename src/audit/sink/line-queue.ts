import { newline } from '../../base/bytes.ts'
import type { Reached } from './loss-log.ts'

/** The fate of the lines of one offer. */
export interface OfferResult {
  written: number
  dropped: number
  /** Why lines were dropped. */
  reason?: string
}

export interface Offer {
  /** Complete lines. Unchanged until they are settled. */
  bytes: Uint8Array
  lines: number
  /** May be dropped when the queue is full, because the source cannot wait. */
  lossy: boolean
  /** The lines' source, and when it will not give them again: only then may a line report their loss. */
  from?: { source: string; reached: Reached }
  settle: (fate: OfferResult) => void
}

/** Smaller pieces are joined, because a separate write costs more (measured: bench/pipeline). */
const small = 64 * 1024
/** Maximum bytes of joined pieces. */
const large = 512 * 1024

interface Waiting extends Offer {
  since: number
  /** Bytes already written. */
  at: number
  writtenLines?: number
}

/** Lines to be written, in pieces that are worth a write. */
export class LineQueue {
  #waiting: Waiting[] = []
  #gathered = new Uint8Array(large)
  bytes = 0
  lines = 0

  /** When the first waiting line arrived. */
  get oldest(): number | undefined {
    return this.#waiting[0]?.since
  }

  /** @param since arrival, by any clock */
  push(offer: Offer, since = 0): void {
    this.#waiting.push({ ...offer, since, at: 0 })
    this.bytes += offer.bytes.length
    this.lines += offer.lines
  }

  /**
   * The next complete lines, valid until the next call; the same again until `confirm`.
   * @param max requested bytes. It may return somewhat more: a small piece is not worth a write, and a line stays
   * complete.
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

  /** Marks this many bytes of the last piece, up to the end of a line, as written. */
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

  /** Removes everything, with the number of lines already written. */
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

/** The end of the last line within a piece of this length, or of the first line if that is longer. */
function endOfPiece(bytes: Uint8Array, start: number, length: number): number {
  const last = bytes.lastIndexOf(newline, start + length - 1)
  return (last >= start ? last : bytes.indexOf(newline, start)) + 1
}
