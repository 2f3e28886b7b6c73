import { newline } from '../../base/bytes.ts'
import type { Reached } from './loss-log.ts'

/** What became of the lines of one offer. */
export interface OfferResult {
  written: number
  dropped: number
  /** Why lines were dropped. */
  reason?: string
}

export interface Offer {
  /** Whole lines. Not changed until they are settled. */
  bytes: Uint8Array
  lines: number
  /** May be dropped when the queue is full, because nothing can wait for it. */
  lossy: boolean
  /** The source that gave the lines, and when it does not give them again: of what is dropped a line says no more before. */
  from?: { source: string; reached: Reached }
  settle: (fate: OfferResult) => void
}

/** Below this, pieces are gathered, because a write of its own costs more (measured: bench/pipeline). */
const small = 64 * 1024
/** Bytes of what is gathered, at most. */
const large = 512 * 1024

interface Waiting extends Offer {
  since: number
  /** Bytes of it that are written. */
  at: number
  writtenLines?: number
}

/** Lines that wait to be written, given out in pieces that are worth a write. */
export class LineQueue {
  #waiting: Waiting[] = []
  #gathered = new Uint8Array(large)
  bytes = 0
  lines = 0

  /** Since when the first line waits. */
  get oldest(): number | undefined {
    return this.#waiting[0]?.since
  }

  /** @param since when it came, by any clock. */
  push(offer: Offer, since = 0): void {
    this.#waiting.push({ ...offer, since, at: 0 })
    this.bytes += offer.bytes.length
    this.lines += offer.lines
  }

  /**
   * The next whole lines, valid until the next call; the same again until `confirm` moves on.
   * @param most bytes that are asked for. Somewhat more may come: too small a piece is not worth a write, and a line stays whole.
   */
  next(most: number): Uint8Array | undefined {
    const [first, second] = this.#waiting
    if (first === undefined) return undefined
    const rest = first.bytes.length - first.at
    const wanted = Math.max(most, small)
    if (rest > wanted) return first.bytes.subarray(first.at, endOfPiece(first.bytes, first.at, wanted))
    if (rest >= small || second === undefined) return first.bytes.subarray(first.at)
    return this.#gather(Math.min(wanted, large))
  }

  /** So many bytes of the last piece, up to the end of a line, are written. */
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

  /** Gives everything up, with the number of lines that are written already. */
  takeAll(): (Offer & { writtenLines: number })[] {
    const all = this.#waiting.map((waiting) => ({ ...waiting, writtenLines: countLines(waiting) }))
    this.#waiting = []
    this.bytes = 0
    this.lines = 0
    return all
  }

  #gather(most: number): Uint8Array {
    let length = 0
    for (const { bytes, at } of this.#waiting) {
      if (length + bytes.length - at > most) break
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

/** The end of the last line within a piece of so many bytes, or of the first one if that is longer. */
function endOfPiece(bytes: Uint8Array, start: number, length: number): number {
  const last = bytes.lastIndexOf(newline, start + length - 1)
  return (last >= start ? last : bytes.indexOf(newline, start)) + 1
}
