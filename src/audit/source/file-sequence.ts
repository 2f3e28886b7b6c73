import { BufferStore, sharedMemory } from '../batch/buffer-store.ts'
import type { FilePosition } from './file-position.ts'
import { findCopySince, findNext, findPlace, type Gap, type NextFile, openIfThere } from './find-place.ts'
import { type LineCounts, LogFile, type Piece, type ReadContext } from './log-file.ts'
import { type ListedFile, poll } from './rotated-files.ts'

export interface SequenceCounts extends LineCounts {
  /** Number of times that the source continued with the next file. */
  rotations: number
  /** Times that the file was truncated in place. */
  truncations: number
}

/**
 * The result of a step: lines; `moved` if the files changed, so that another step may return lines; `nothing` if there
 * are no lines now.
 */
export type Step = Uint8Array | 'moved' | 'nothing'

/** Maximum buffers kept for reuse. About this many batches are on their way to workers. */
const maxSpare = 8

/** Reads the files of one log over its rotations, one after the other, each file to its end. */
export class FileSequence {
  readonly counts: SequenceCounts = {
    longLines: 0,
    skippedBytes: 0,
    nulBytes: 0,
    unfinished: 0,
    rotations: 0,
    truncations: 0,
  }
  readonly #path: string
  readonly #context: ReadContext
  readonly #report: (gap: Gap) => void
  #file: LogFile | undefined
  /**
   * The file after the current file. Before the change to it, the current file is read once more, because its writer
   * may have added lines.
   */
  #next: NextFile | undefined
  /** The next chunk, which is read while the previous chunk is processed. */
  #ahead: Promise<Piece> | undefined
  #closed = false

  constructor(path: string, chunkBytes: number, report: (gap: Gap) => void) {
    this.#path = path
    this.#context = {
      chunkBytes,
      counts: this.counts,
      memory: new BufferStore(sharedMemory, maxSpare, 2 * chunkBytes),
    }
    this.#report = report
  }

  async begin(from: FilePosition | 'beginning' | 'end'): Promise<void> {
    if (typeof from === 'object') return this.#goTo(from)
    if ((await poll(this.#path)) === undefined) return
    this.#file = await LogFile.open(this.#path)
    if (from === 'end') await this.#file.seekEnd()
  }

  /** The position after all data that `step` returned; undefined without a file. Not valid after `readAhead`. */
  get position(): FilePosition | undefined {
    return this.#file?.position(this.#path)
  }

  /** Unread bytes of the current file. */
  get behind(): number {
    return this.#file?.behind ?? 0
  }

  /** Starts reading the next chunk, if the file has a whole chunk. */
  readAhead(): void {
    if (this.#file === undefined || this.#file.behind < this.#context.chunkBytes) return
    this.#ahead = this.#file.read(this.#context, false)
    this.#ahead.catch(() => undefined) // The next step rethrows the error.
  }

  async step(): Promise<Step> {
    const file = this.#file
    if (file === undefined) return this.#openLive()
    if (file.blank) return this.#stepBlank(file)
    const ahead = this.#ahead
    this.#ahead = undefined
    return this.#take(file, await (ahead ?? file.read(this.#context, this.#next !== undefined)))
  }

  /**
   * Reads the first bytes of a file that was empty at the last read. The file may have had other bytes meanwhile, and
   * may have been copied and truncated. Then the copy is read first.
   */
  async #stepBlank(file: LogFile): Promise<Step> {
    const counts = { ...this.counts }
    const piece = await file.read({ ...this.#context, counts }, this.#next !== undefined)
    const copy = file.modified === file.modifiedBefore ? undefined : await findCopySince(file, this.#path)
    if (copy !== undefined) {
      this.counts.truncations++
      await this.#replace(copy)
      return 'moved'
    }
    Object.assign(this.counts, counts)
    return this.#take(file, piece)
  }

  async #take(file: LogFile, piece: Piece): Promise<Step> {
    if (piece.kind === 'lines') return piece.bytes
    if (piece.kind === 'rewritten') return this.#leaveTruncated(file)
    if (piece.kind === 'skipped') return 'moved'
    return this.#next === undefined ? 'nothing' : this.#enter(file, this.#next)
  }

  /** Call it after `nothing`. @returns whether there is a next file, which the next steps read */
  async lookForNext(): Promise<boolean> {
    if (this.#file === undefined) return false
    this.#next = await findNext(this.#file, this.#path)
    return this.#next !== undefined
  }

  /** The current file's size, and whether the file no longer has a name; undefined without a file. */
  async end(): Promise<{ id: string; size: number; deleted: boolean } | undefined> {
    const file = this.#file
    if (file === undefined) return undefined
    await file.poll()
    return { id: file.id, size: file.offset + file.behind, deleted: await file.deleted() }
  }

  /** The unfinished last line of a file that is no longer written. */
  async rest(): Promise<Uint8Array | undefined> {
    const piece = await this.#file?.read(this.#context, true)
    return piece?.kind === 'lines' ? piece.bytes : undefined
  }

  /** Takes back the memory of returned lines. */
  giveBack(buffer: ArrayBufferLike): void {
    if (buffer instanceof SharedArrayBuffer) this.#context.memory.give(buffer)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#replace(undefined)
  }

  async #replace(file: LogFile | undefined): Promise<void> {
    const before = this.#file
    this.#next = undefined
    this.#file = this.#closed ? undefined : file
    await before?.close()
    if (this.#closed) await file?.close()
  }

  async #openLive(): Promise<Step> {
    const live = await poll(this.#path)
    const file = live === undefined ? undefined : await openIfThere(live)
    if (file === undefined) return 'nothing'
    await this.#replace(file)
    return 'moved'
  }

  /**
   * Opens the next file and reads its first lines, which identify the file if it is truncated later; a hole at its
   * start would not identify it. If the file was rotated meanwhile, it is closed, and the next check finds the right
   * file.
   */
  async #enter(current: LogFile, { next, gaps }: NextFile): Promise<Step> {
    this.#next = undefined
    const file = await openIfThere(next)
    if (file === undefined) return 'moved'
    const counts = { ...this.counts }
    let piece: Piece | undefined
    try {
      do piece = await file.read({ ...this.#context, counts }, false)
      while (piece.kind === 'skipped')
      if (!(await isStillNext(next, current, this.#path))) piece = undefined
    } finally {
      if (piece === undefined) await file.close()
    }
    if (piece === undefined) return 'moved'
    Object.assign(this.counts, counts)
    for (const gap of gaps) this.#report(gap)
    this.counts.rotations++
    await this.#replace(file)
    if (piece.kind !== 'nothing') this.#ahead = Promise.resolve(piece)
    return 'moved'
  }

  async #leaveTruncated(file: LogFile): Promise<Step> {
    await this.#goTo(file.position(this.#path))
    this.counts.truncations++
    return 'moved'
  }

  async #goTo(position: FilePosition): Promise<void> {
    const { file, gaps } = await findPlace(position, this.#path)
    await this.#replace(file)
    for (const gap of gaps) this.#report(gap)
  }
}

/**
 * Whether `next` is still the next file. A failed check means no; the next step repeats the check and reports the
 * failure.
 */
async function isStillNext(next: ListedFile, current: LogFile, path: string): Promise<boolean> {
  const still = await findNext(current, path).catch(() => undefined)
  return still?.next.path === next.path && still.next.id === next.id
}
