import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { BufferStore } from '../batch/buffer-store.ts'
import { type Cut, cutLines, cutMarker, dropNuls } from './cut-lines.ts'
import { FileMark, isBlank, markBytes, noSum, type Sum, sumOf } from './file-mark.ts'
import type { FilePosition } from './file-position.ts'

/** What reading on gave. */
export type Piece =
  /** Whole lines, in memory of their own that threads share. */
  | { kind: 'lines'; bytes: Uint8Array }
  /** Only bytes that are thrown away; there may be more. */
  | { kind: 'skipped' }
  /** No whole line is there now. */
  | { kind: 'nothing' }
  /** What was read before is no longer in the file: it was truncated, and perhaps written again. */
  | { kind: 'rewritten' }

/** Counts of all files that one source has read. */
export interface LineCounts {
  /** Lines that were cut because they did not fit in a chunk, and the bytes that this cost. */
  longLines: number
  skippedBytes: number
  /** NULs that were left out: holes of a truncated file. */
  nulBytes: number
  /** Last lines without an end, of files that nobody writes any more; passed on as they are. */
  unfinished: number
}

/** What reading needs beside the file. */
export interface ReadContext {
  /** Bytes of one chunk, at most. */
  chunkBytes: number
  counts: LineCounts
  memory: BufferStore<SharedArrayBuffer>
}

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const none = Buffer.alloc(0)

/** An open file that is read from a position on, in large chunks up to the last newline. */
export class LogFile {
  readonly id: string
  /** Time of modification when it was opened, nanoseconds since the epoch. */
  readonly modifiedBefore: bigint
  /** Bytes up to which the lines were read. */
  offset = 0
  #handle: FileHandle
  #mark = new FileMark(none, none)
  /** What was seen right behind the position, and not passed on. */
  #peeked: Buffer = none
  #skipping = false
  #size: number
  /** Nanoseconds; of the time before the last read. */
  #modified: bigint
  /** Size and time of the file when everything that can be read of it was read. */
  #seen = { size: -1, modified: -1n }

  private constructor(handle: FileHandle, id: string, size: number, modified: bigint) {
    this.#handle = handle
    this.id = id
    this.#size = size
    this.#modified = modified
    this.modifiedBefore = modified
  }

  /**
   * Opens a file at its beginning.
   * @throws the system's error, or one with the code ENOTFILE for what is no regular file
   */
  static async open(path: string): Promise<LogFile> {
    const handle = await open(path, readFlags)
    try {
      const { dev, ino, size, mtimeNs, isFile } = await statOf(handle)
      if (!isFile) throw Object.assign(new Error(`not a regular file: ${path}`), { code: 'ENOTFILE' })
      const file = new LogFile(handle, `${dev}:${ino}`, size, mtimeNs)
      file.#peeked = await file.#bytes(0, markBytes)
      return file
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  get modified(): bigint {
    return this.#modified
  }

  /** Nothing was ever seen in it. */
  get blank(): boolean {
    return this.offset === 0 && this.#peeked.length === 0
  }

  /** Bytes that are known to be there and were not read. */
  get behind(): number {
    return Math.max(0, this.#size - this.offset)
  }

  /** Goes to `offset`. In the middle of a line the rest of that line is left out. */
  async seek(offset: number, skipping?: boolean): Promise<void> {
    const [head, tail] = [await this.#bytes(0, offset), await this.#bytes(Math.max(0, offset - markBytes), offset)]
    this.#mark = new FileMark(head, tail)
    this.#skipping = skipping ?? (tail.length > 0 && tail[tail.length - 1] !== 0x0a)
    this.#peeked = await this.#bytes(offset, offset + markBytes)
    this.offset = offset
  }

  async seekEnd(): Promise<void> {
    await this.seek(this.#size)
  }

  /** Does this file begin as the one of a position, and is it the same around the position? */
  async compare({ head, tail, ahead, offset }: FilePosition): Promise<{ begins: boolean; same: boolean }> {
    const has = async (start: number, sum: Sum) => sumOf(await this.#bytes(start, start + sum.length)).sum === sum.sum
    const begins = await has(0, head)
    const same = this.#size >= offset && begins && (await has(offset - tail.length, tail)) && (await has(offset, ahead))
    return { begins: begins && head.length > 0, same }
  }

  /** As of what was passed on and thrown away so far. */
  position(path: string): FilePosition {
    const { id, offset } = this
    const sums = { ...this.#mark.sums(), ahead: noSum }
    // Where nothing but a hole is before the position, what is behind it has to distinguish the file from others.
    if (isBlank(this.#mark.tail) && !isBlank(this.#peeked)) sums.ahead = sumOf(this.#peeked)
    return { path, id, offset, skipping: this.#skipping, modified: `${this.#modified}`, ...sums }
  }

  /**
   * Reads on by one chunk. The position moves with it, so two reads never give the same bytes.
   * @param final nothing is written to this file any more: an unfinished last line is passed on
   */
  async read({ chunkBytes, counts, memory }: ReadContext, final: boolean): Promise<Piece> {
    if (this.behind < chunkBytes) {
      await this.look()
      if (this.#size < this.offset + this.#peeked.length) return { kind: 'rewritten' }
      if (this.#unchanged() && (this.behind === 0 || !final)) return { kind: 'nothing' }
    }
    const { tail } = this.#mark
    const room = Math.min(this.behind, chunkBytes)
    const buffer = Buffer.from(memory.atLeast(tail.length + room + cutMarker.length))
    const { bytesRead } = await this.#handle.read(buffer, 0, tail.length + room, this.offset - tail.length)
    // What is around the position is read again with every chunk: no truncation goes unseen, however fast the file
    // grows back.
    if (!tail.equals(buffer.subarray(0, Math.min(tail.length, bytesRead)))) return { kind: 'rewritten' }
    const chunk = buffer.subarray(tail.length, bytesRead)
    const seen = this.#peeked.subarray(0, room)
    if (!seen.equals(chunk.subarray(0, seen.length))) return { kind: 'rewritten' }
    // A read is not one moment: a file that was truncated and written in the middle of it gave half a line of each.
    const begin = buffer.subarray(0, Math.min(bytesRead, tail.length + markBytes))
    const again = await this.peek(this.offset - tail.length, this.offset - tail.length + begin.length)
    if (!begin.equals(again)) return { kind: 'rewritten' }
    return this.#take(chunk, cutLines(chunk, this.#skipping, chunk.length === chunkBytes, final), counts)
  }

  /** Is the file gone from its directory? */
  async deleted(): Promise<boolean> {
    return (await this.#handle.stat()).nlink === 0
  }

  /** Waits for a read under way. */
  async close(): Promise<void> {
    await this.#handle.close()
  }

  #take(chunk: Buffer, cut: Cut, counts: LineCounts): Piece {
    this.#peeked = Buffer.from(chunk.subarray(cut.consumed, cut.consumed + markBytes))
    // A read may give less than there is.
    if (chunk.length === this.behind && (cut.consumed === 0 || cut.consumed === chunk.length))
      this.#seen = { size: this.#size, modified: this.#modified }
    if (cut.consumed === 0) return { kind: 'nothing' }
    this.#mark.advance(chunk.subarray(0, cut.consumed))
    this.offset += cut.consumed
    if (cut.skipping && !this.#skipping) counts.longLines++
    else if (cut.ending.length > 0) counts.unfinished++
    this.#skipping = cut.skipping
    counts.skippedBytes += cut.skipped
    counts.nulBytes += cut.nuls
    if (cut.end === cut.start) return { kind: 'skipped' }
    return { kind: 'lines', bytes: withEnding(chunk, cut, counts) }
  }

  #unchanged(): boolean {
    return this.#seen.size === this.#size && this.#seen.modified === this.#modified
  }

  /** Looks how long the file is now. */
  async look(): Promise<void> {
    const { size, mtimeNs } = await statOf(this.#handle)
    this.#size = size
    this.#modified = mtimeNs
  }

  /** The bytes from `start` to `end`, or fewer where the file ends; the position stays. */
  async peek(start: number, end: number): Promise<Buffer> {
    const buffer = Buffer.alloc(Math.max(0, end - start))
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, start)
    return buffer.subarray(0, bytesRead)
  }

  #bytes(start: number, end: number): Promise<Buffer> {
    return this.peek(start, Math.min(end, start + markBytes))
  }
}

/** The lines of a cut. Behind a chunk its buffer has room for the longest ending. */
function withEnding(chunk: Buffer, { start, end, ending }: Cut, counts: LineCounts): Uint8Array {
  const kept = dropNuls(chunk.subarray(start, end))
  counts.nulBytes += end - start - kept
  const lines = new Uint8Array(chunk.buffer, chunk.byteOffset + start, kept + ending.length)
  lines.set(ending, kept)
  return lines
}

async function statOf(handle: FileHandle) {
  const stat = await handle.stat({ bigint: true })
  const { dev, ino, mtimeNs } = stat
  return { dev, ino, mtimeNs, size: Number(stat.size), isFile: stat.isFile() }
}
