import { open } from 'node:fs/promises'
import { mebibyte } from '../../base/bytes.ts'
import { header } from '../decode/bpf-record.ts'
import { RecordTime } from '../decode/record-time.ts'
import { recordId } from '../encode/line-id.ts'
import { longestWait } from '../enrich/wait-keys.ts'
import { listFiles } from './rotated-files.ts'

const pieceBytes = mebibyte
/** Of the end of a log that is searched: more than the lines of all that a ring holds. */
const mostBytes = 128 * mebibyte
/** Ids, and what may be between two pieces. */
const overlap = 256
/** Seconds: two processors may make their records in another order than that of the ring. */
const outOfOrder = 1
/** Seconds by which a line may be behind younger ones: it may have waited for its container, and then for a worker. */
const longestLate = longestWait / 1000 + 5

/**
 * Finds the ids of BPF records that were made since a moment and have a line in a log. A line that is not whole does not count.
 * @param log path of its live file; compressed files are not looked at
 * @param key what all of them begin with, before the seconds since boot: `<boot>-bpf-`
 * @param since seconds since boot
 * @throws what the system says when a file cannot be read
 */
export async function findWritten(log: string, key: string, since: number): Promise<Set<string>> {
  const found = new Set<string>()
  let left = mostBytes
  for (const { path, compressed } of (await listFiles(log)).reverse()) {
    if (compressed || left <= 0) break
    const file = await open(path)
    try {
      const { size } = await file.stat()
      for (let end = size; end > 0 && left > 0; end -= pieceBytes) {
        const start = Math.max(0, end - pieceBytes)
        // An id may begin in this piece and end in the one behind it.
        const bytes = Buffer.alloc(Math.min(size, end + overlap) - start)
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
        const oldest = takeIds(bytes.toString('latin1', 0, bytesRead), end === size, { key, since, found })
        if (oldest < since - longestLate) return found
        left -= pieceBytes
      }
    } finally {
      await file.close()
    }
  }
  return found
}

/**
 * Finds which of these ids have a line in a log. A line that is not whole does not count.
 * @param log path of its live file; compressed files are not looked at
 * @throws what the system says when a file cannot be read
 */
export async function findLines(log: string, ids: ReadonlySet<string>): Promise<Set<string>> {
  const found = new Set<string>()
  for await (const text of piecesBackwards(log)) {
    for (const id of ids) if (text.includes(`"id":"${id}"`)) found.add(id)
    if (found.size === ids.size) break
  }
  return found
}

/** Pieces of a log from its end on. A line may begin in one piece and end in the one behind it. */
async function* piecesBackwards(log: string): AsyncGenerator<string, void, void> {
  let left = mostBytes
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

/** @returns the least of the times of all ids of the piece */
function takeIds(text: string, isLast: boolean, { key, since, found }: Search): number {
  const prefix = `"id":"${key}`
  // What follows the last newline of a file is a line that is being written, or was cut off.
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

/** What finds the ids since a moment, in seconds since boot. */
export type FindWritten = (since: number) => Promise<Set<string>>

/**
 * Leaves out what an agent before this one wrote and could not note any more, because it was killed between the two. It is at the
 * beginning of what the ring still holds; what comes behind it costs nothing.
 */
export class WrittenRecords {
  /** Records that were left out. */
  count = 0
  readonly #key: string
  readonly #find: FindWritten
  readonly #time = new RecordTime()
  #ids: Set<string> | undefined
  /** When they were made, in nanoseconds as near as a number has them: an id is only put together for what is one of these. */
  readonly #times = new Set<number>()
  #newest = Number.NEGATIVE_INFINITY

  /** @param key what the ids begin with, before the seconds since boot */
  constructor(key: string, find: FindWritten) {
    this.#key = key
    this.#find = find
  }

  /** Whether there is nothing more to leave out. */
  get done(): boolean {
    return this.#ids?.size === 0
  }

  /**
   * Moves what was not written to the beginning of the bytes.
   * @param bytes records, one behind the other
   * @returns how many bytes that is
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
      // What comes is not a record: whoever decodes it says so.
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

  /** Since boot. */
  #nanosecondsOf(view: DataView, start: number): number {
    if (start + header.size > view.byteLength) return 0
    this.#time.read(view, start + header.at.time)
    return this.#time.uptime * 1e9 + this.#time.uptimeNs
  }
}
