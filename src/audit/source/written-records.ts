import { open } from 'node:fs/promises'
import { mebibyte } from '../../base/bytes.ts'
import { header } from '../decode/bpf-record.ts'
import { RecordTime } from '../decode/record-time.ts'
import { recordId } from '../encode/line-id.ts'
import { maxWait } from '../enrich/wait-keys.ts'
import { listFiles } from './rotated-files.ts'

const pieceBytes = mebibyte
/** Maximum bytes of a log that are searched, from its end. The lines of all records in a full ring take fewer bytes. */
const maxBytes = 128 * mebibyte
/** Bytes that two pieces share, so that an id is complete in at least one piece. */
const overlap = 256
/** Seconds by which the order of records in the ring may differ from their times, because several processors write. */
const outOfOrder = 1
/**
 * Maximum seconds by which the line of a record may follow the lines of later records. The record may have waited for
 * its container, and then for a worker.
 */
const maxLate = maxWait / 1000 + 5

/**
 * Finds the ids of BPF records that have a complete line in a log.
 * @param log path of the live file; compressed files are not searched
 * @param key the common start of the ids, before the seconds since boot: `<boot>-bpf-`
 * @param since time of the first record, in seconds since boot
 * @throws the system's error when a file cannot be read
 */
export async function findWritten(log: string, key: string, since: number): Promise<Set<string>> {
  const found = new Set<string>()
  let left = maxBytes
  for (const { path, compressed } of (await listFiles(log)).reverse()) {
    if (compressed || left <= 0) break
    const file = await open(path)
    try {
      const { size } = await file.stat()
      for (let end = size; end > 0 && left > 0; end -= pieceBytes) {
        const start = Math.max(0, end - pieceBytes)
        // An id may start in this piece and end in the next piece.
        const bytes = Buffer.alloc(Math.min(size, end + overlap) - start)
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
        const oldest = takeIds(bytes.toString('latin1', 0, bytesRead), end === size, { key, since, found })
        if (oldest < since - maxLate) return found
        left -= pieceBytes
      }
    } finally {
      await file.close()
    }
  }
  return found
}

/**
 * Finds out which of these ids have a complete line in a log.
 * @param log path of the live file; compressed files are not searched
 * @throws the system's error when a file cannot be read
 */
export async function findLines(log: string, ids: ReadonlySet<string>): Promise<Set<string>> {
  const found = new Set<string>()
  for await (const text of piecesBackwards(log)) {
    for (const id of ids) if (text.includes(`"id":"${id}"`)) found.add(id)
    if (found.size === ids.size) break
  }
  return found
}

/**
 * Reads the pieces of a log from its end to its start. A line may start in one piece and end in another piece.
 */
async function* piecesBackwards(log: string): AsyncGenerator<string, void, void> {
  let left = maxBytes
  for (const { path, compressed } of (await listFiles(log)).reverse()) {
    if (compressed) return
    const file = await open(path)
    try {
      const { size } = await file.stat()
      for (let end = size; end > 0 && left > 0; end -= pieceBytes, left -= pieceBytes) {
        const start = Math.max(0, end - pieceBytes)
        const bytes = Buffer.alloc(Math.min(size, end + overlap) - start)
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
        const text = bytes.toString('latin1', 0, bytesRead)
        yield end === size ? text.slice(0, text.lastIndexOf('\n') + 1) : text
      }
    } finally {
      await file.close()
    }
  }
}

interface Search {
  key: string
  since: number
  found: Set<string>
}

/** Adds the ids in a piece to `found`. @returns the earliest time in these ids */
function takeIds(text: string, isLast: boolean, { key, since, found }: Search): number {
  const prefix = `"id":"${key}`
  // A last line without a newline is still being written, or was cut.
  const whole = isLast ? text.lastIndexOf('\n') : text.length
  let oldest = Number.POSITIVE_INFINITY
  for (let at = text.indexOf(prefix); at !== -1 && at < whole; at = text.indexOf(prefix, at + 1)) {
    const start = at + '"id":"'.length
    const end = text.indexOf('"', start)
    if (end === -1) break
    const id = text.slice(start, end)
    const time = Number.parseFloat(id.slice(key.length))
    if (time < oldest) oldest = time
    if (time >= since) found.add(id)
  }
  return oldest
}

/** Finds the ids of records since a time, in seconds since boot. */
export type FindWritten = (since: number) => Promise<Set<string>>

/**
 * Removes records that already have a line: an earlier agent was killed after it wrote them, and before it stored the
 * position. They are at the start of the ring. After them, no work is necessary.
 */
export class WrittenRecords {
  /** Number of removed records. */
  count = 0
  readonly #key: string
  readonly #find: FindWritten
  readonly #time = new RecordTime()
  #ids: Set<string> | undefined
  /**
   * Approximate times of the ids in nanoseconds. An id is created and looked up only for a record with such a time,
   * because creating ids is slow.
   */
  readonly #times = new Set<number>()
  #newest = Number.NEGATIVE_INFINITY

  /** @param key the start of the ids, before the seconds since boot */
  constructor(key: string, find: FindWritten) {
    this.#key = key
    this.#find = find
  }

  /** Whether all these records are removed. */
  get done(): boolean {
    return this.#ids?.size === 0
  }

  /**
   * Moves unwritten records to the start of the bytes.
   * @param bytes records, one after the other
   * @returns the number of remaining bytes
   */
  async leaveOut(bytes: Uint8Array): Promise<number> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const first = this.#nanosecondsOf(view, 0) / 1e9 - outOfOrder
    if (this.#ids === undefined) this.#keep(await this.#find(first))
    if (first > this.#newest) this.#ids!.clear()
    if (this.done) return bytes.length
    let length = 0
    for (let start = 0; start < bytes.length; ) {
      const size = start + header.size > bytes.length ? 0 : view.getUint32(start, true)
      // If this is not a record, the decoder reports it.
      const isRecord = size >= header.size && start + size <= bytes.length
      const end = isRecord ? start + size : bytes.length
      if (isRecord && this.#isWritten(bytes, view, start, end)) this.count++
      else {
        bytes.copyWithin(length, start, end)
        length += end - start
      }
      start = end
    }
    return length
  }

  #keep(ids: Set<string>): void {
    this.#ids = ids
    for (const id of ids) {
      const [, seconds, nanoseconds] = /^(\d+)\.(\d+)/.exec(id.slice(this.#key.length)) ?? []
      const time = Number(seconds) * 1e9 + Number(nanoseconds)
      this.#times.add(time)
      this.#newest = Math.max(this.#newest, time / 1e9)
    }
  }

  #isWritten(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    if (!this.#times.has(this.#nanosecondsOf(view, start))) return false
    return this.#ids!.delete(recordId(this.#key, bytes, view, start, end))
  }

  /** The record's time since boot. */
  #nanosecondsOf(view: DataView, start: number): number {
    if (start + header.size > view.byteLength) return 0
    this.#time.read(view, start + header.at.time)
    return this.#time.uptime * 1e9 + this.#time.uptimeNs
  }
}
