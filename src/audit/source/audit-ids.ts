import { newline } from '../../base/bytes.ts'
import { parseAuditLine } from './audit-line.ts'

/** Seconds by which the order of records may differ from their times, because several processors create records. */
const outOfOrder = 1

/** Audit ids, and the number of records with each id. */
export class AuditIds {
  readonly #counts = new Map<string, number>()
  #newest = Number.NEGATIVE_INFINITY

  /** @param time Unix seconds of the record */
  add(id: string, time: number): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1)
    this.#newest = Math.max(this.#newest, time)
  }

  /** Removes one record with the id. @returns false if there is no such record */
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
   * Removes the lines with one of these ids: moves all other lines to the start of the bytes, and returns their length.
   * Forgets the ids when a line is later than all ids.
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
