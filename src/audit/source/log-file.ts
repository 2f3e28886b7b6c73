import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { BufferStore } from '../batch/buffer-store.ts'
import { type Cut, cutLines, cutMarker, dropNuls } from './cut-lines.ts'
import { FileMark, isBlank, markBytes, noSum, type Sum, sumOf } from './file-mark.ts'
import type { FilePosition } from './file-position.ts'

/** The result of a read. */
export type Piece =
  /** Complete lines in separate shared memory. */
  | { kind: 'lines'; bytes: Uint8Array }
  /** Bytes were skipped. More may follow. */
  | { kind: 'skipped' }
  /** There is no complete line now. */
  | { kind: 'nothing' }
  /** The file lacks the bytes that were read before, because it was truncated. It may have been written again. */
  | { kind: 'rewritten' }

/** Counts of all files that one source has read. */
export interface LineCounts {
  /** Number of lines that were cut because they did not fit into a chunk, and number of their skipped bytes. */
  longLines: number
  skippedBytes: number
  /** Number of skipped NULs, which are holes in a truncated file. */
  nulBytes: number
  /** Number of last lines without a line end, in files that are no longer written. Such lines are passed on. */
  unfinished: number
}

/** The parameters that all reads of a source share. */
export interface ReadContext {
  /** Maximum bytes of a chunk. */
  chunkBytes: number
  counts: LineCounts
  memory: BufferStore<SharedArrayBuffer>
}

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const none = Buffer.alloc(0)

/** An open file. It is read from a position on, in large chunks up to the last newline of a chunk. */
export class LogFile {
  readonly id: string
  /** Modification time at opening, in nanoseconds since the epoch. */
  readonly modifiedBefore: bigint
  /** Offset up to which lines were read. */
  offset = 0
  #handle: FileHandle
  #mark = new FileMark(none, none)
  /** Bytes after the position that were read, but are not passed on yet. */
  #peeked: Buffer = none
  #skipping = false
  #size: number
  /** Modification time before the last read, in nanoseconds. */
  #modified: bigint
  /** Size and modification time of the file when all readable data had been read. */
  #seen = { size: -1, modified: -1n }

  private constructor(handle: FileHandle, id: string, size: number, modified: bigint) {
    this.#handle = handle
    this.id = id
    this.#size = size
    this.#modified = modified
    this.modifiedBefore = modified
  }

  /**
   * Opens a file at its start.
   * @throws the system's error, or an error with the code ENOTFILE for anything but a regular file
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

  /** Whether all reads of the file were empty. */
  get blank(): boolean {
    return this.offset === 0 && this.#peeked.length === 0
  }

  /** Number of unread bytes. */
  get behind(): number {
    return Math.max(0, this.#size - this.offset)
  }

  /** Moves to `offset`. If the offset is inside a line, the rest of the line is skipped. */
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

  /**
   * `begins`: this file starts like the file of the position. `same`: it also matches before and after the position.
   */
  async compare({ head, tail, ahead, offset }: FilePosition): Promise<{ begins: boolean; same: boolean }> {
    const has = async (start: number, sum: Sum) => sumOf(await this.#bytes(start, start + sum.length)).sum === sum.sum
    const begins = await has(0, head)
    const same = this.#size >= offset && begins && (await has(offset - tail.length, tail)) && (await has(offset, ahead))
    return { begins: begins && head.length > 0, same }
  }

  /** The position after all bytes that were passed on or skipped. */
  position(path: string): FilePosition {
    const { id, offset } = this
    const sums = { ...this.#mark.sums(), ahead: noSum }
    // A hole before the position cannot identify the file, so the bytes after the position must.
    if (isBlank(this.#mark.tail) && !isBlank(this.#peeked)) sums.ahead = sumOf(this.#peeked)
    return { path, id, offset, skipping: this.#skipping, modified: `${this.#modified}`, ...sums }
  }

  /**
   * Reads the next chunk and moves the position, so that two reads never return the same bytes.
   * @param final whether the file is no longer written, so that an unfinished last line is passed on
   */
  async read({ chunkBytes, counts, memory }: ReadContext, final: boolean): Promise<Piece> {
    if (this.behind < chunkBytes) {
      await this.poll()
      if (this.#size < this.offset + this.#peeked.length) return { kind: 'rewritten' }
      if (this.#unchanged() && (this.behind === 0 || !final)) return { kind: 'nothing' }
    }
    const { tail } = this.#mark
    const room = Math.min(this.behind, chunkBytes)
    const buffer = Buffer.from(memory.atLeast(tail.length + room + cutMarker.length))
    const { bytesRead } = await this.#handle.read(buffer, 0, tail.length + room, this.offset - tail.length)
    // Each read includes the bytes before the position, which detects every truncation, even if the file grows again.
    if (!tail.equals(buffer.subarray(0, Math.min(tail.length, bytesRead)))) return { kind: 'rewritten' }
    const chunk = buffer.subarray(tail.length, bytesRead)
    const seen = this.#peeked.subarray(0, room)
    if (!seen.equals(chunk.subarray(0, seen.length))) return { kind: 'rewritten' }
    // A read is not atomic. If the file is truncated and written meanwhile, a line may mix old and new bytes.
    const begin = buffer.subarray(0, Math.min(bytesRead, tail.length + markBytes))
    const again = await this.peek(this.offset - tail.length, this.offset - tail.length + begin.length)
    if (!begin.equals(again)) return { kind: 'rewritten' }
    return this.#take(chunk, cutLines(chunk, this.#skipping, chunk.length === chunkBytes, final), counts)
  }

  /** Whether the file no longer has a name. */
  async deleted(): Promise<boolean> {
    return (await this.#handle.stat()).nlink === 0
  }

  /** Closes the file, after a read that is in progress. */
  async close(): Promise<void> {
    await this.#handle.close()
  }

  #take(chunk: Buffer, cut: Cut, counts: LineCounts): Piece {
    this.#peeked = Buffer.from(chunk.subarray(cut.consumed, cut.consumed + markBytes))
    // Do this only if all data was read, because a read may return fewer bytes than exist.
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

  /** Reads the file's current size. */
  async poll(): Promise<void> {
    const { size, mtimeNs } = await statOf(this.#handle)
    this.#size = size
    this.#modified = mtimeNs
  }

  /** The bytes from `start` to `end`, or fewer at the end of the file. Does not move the position. */
  async peek(start: number, end: number): Promise<Buffer> {
    const buffer = Buffer.alloc(Math.max(0, end - start))
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, start)
    return buffer.subarray(0, bytesRead)
  }

  #bytes(start: number, end: number): Promise<Buffer> {
    return this.peek(start, Math.min(end, start + markBytes))
  }
}

/** The lines of a cut, with its ending. The buffer of the chunk has room for the longest ending. */
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
