import { newline } from '../../base/bytes.ts'
import { parseAuditLine } from './audit-line.ts'

/** Seconds by which records may be sent in another order than two processors created them. */
const outOfOrder = 1

/** Audit ids, with the number of records that have each id. */
export class AuditIds {
  readonly #counts = new Map<string, number>()
  #newest = Number.NEGATIVE_INFINITY

  /** @param time of its record, in seconds since the epoch */
  add(id: string, time: number): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1)
    this.#newest = Math.max(this.#newest, time)
  }

  /** Removes one record of the id. @returns false if there is none */
  take(id: string): boolean {
    const count = this.#counts.get(id) ?? 0
    if (count > 1) this.#counts.set(id, count - 1)
    else this.#counts.delete(id)
    return count > 0
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  /**
   * Moves the lines without one of these ids to the start of the bytes, and returns their length. Forgets the ids when
   * a line is later than all of them.
   * @param bytes lines of a multicast batch
   */
  leaveOut(bytes: Uint8Array): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let length = 0
    for (let start = 0; start < bytes.length; ) {
      const found = text.indexOf(newline, start)
      const end = found === -1 ? bytes.length : found + 1
      if (!this.#isOne(text.toString('latin1', start, end))) {
        bytes.copyWithin(length, start, end)
        length += end - start
      }
      start = end
    }
    return length
  }

  #isOne(line: string): boolean {
    const record = this.isEmpty ? undefined : parseAuditLine(line)
    if (record === undefined) return false
    if (record.time > this.#newest + outOfOrder) this.#counts.clear()
    return this.take(record.id)
  }
}
