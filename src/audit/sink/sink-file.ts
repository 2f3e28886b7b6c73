import { close, closeSync, fdatasync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createStream, type FileSize, type RotatingFileStream } from 'rotating-file-stream'
import { mebibyte, newline } from '../../base/bytes.ts'
import { OldFiles } from './old-files.ts'

export interface SinkFileOptions {
  path: string
  /** A file that has grown to this is rotated. Default 10M. */
  size?: FileSize
  /** How many old files are kept, as `path.1` (the newest) and so on. Default 3. */
  rotate?: number
  /** Whether old files but the newest are compressed, as `path.2.gz` and so on. Default false. */
  compress?: boolean
  /** What all files together may have: the oldest go before there is more. Default: whatever `size` and `rotate` give. */
  total?: FileSize
  /** Called when an old file cannot be compressed or removed. It is tried again after the next rotation. */
  onOldFile?: (trouble: Trouble) => void
  /** Of files that are made. Default 0640; their directory gets 0750. */
  mode?: number
  /** Puts the data of a file onto its disk: fdatasync(2). A test gives one that fails. */
  synchronise?: (fd: number) => Promise<void>
}

/** Why the file cannot be written any more and has to be opened anew. */
export interface Trouble {
  /** The code of a system error, or a word. */
  reason: string
  problem: string
}

/** What became of some bytes. */
export interface WriteResult {
  /** How many of them, up to the end of a line, are in a file that has a name. */
  written: number
  trouble?: Trouble
}

const fdatasyncOf = promisify(fdatasync)

/** A file as this process holds it, besides rotating-file-stream's own handle. */
interface Held {
  fd: number
  ino: number
  /** Bytes in it before the write at hand. */
  size: number
}

/**
 * A rotated file of whole lines over rotating-file-stream, which neither looks at how much of a chunk was written nor
 * whether its file still has a name, and never syncs. A second handle answers all three: after each write the file's
 * size says what was written, a piece of a line is cut off again, and `sync` reaches rotated files too.
 */
export class SinkFile {
  #path: string
  #keep: number
  #old: OldFiles
  #onOldFile: (trouble: Trouble) => void
  #size: number
  #stream: RotatingFileStream
  #held: Held | undefined
  /** Rotated files that are not synced yet, the oldest first. */
  #rotated: number[] = []
  #writing: Uint8Array | undefined
  /** Set when the write at hand was measured because its file is about to be rotated. */
  #measured: number | undefined
  #error: Error | undefined
  #synchronise: (fd: number) => Promise<void>
  #syncing: Promise<unknown> = Promise.resolve()
  /** Size at which the file is rotated is reached; how often so far. */
  rotations = 0

  private constructor(options: SinkFileOptions) {
    const { path, size = '10M', rotate = 3, mode = 0o640, compress = false, total } = options
    this.#synchronise = options.synchronise ?? fdatasyncOf
    this.#onOldFile = options.onOldFile ?? (() => undefined)
    this.#path = resolve(path)
    this.#keep = rotate
    this.#size = bytesOf(size)
    const most = total === undefined ? Number.POSITIVE_INFINITY : bytesOf(total)
    this.#old = new OldFiles({ path: this.#path, keep: rotate, compress, most, live: this.#size, mode })
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o750 })
    cutTornLine(this.#path)
    this.#stream = createStream(basename(this.#path), { path: dirname(this.#path), size, rotate: 1, mode })
    this.#stream.on('open', () => this.#hold())
    this.#stream.on('rotation', () => this.#letGo())
    this.#stream.on('rotated', () => this.#tidy())
    this.#stream.on('error', (error) => {
      this.#error = error
    })
  }

  /** Opens or makes the file, and its directory. An unfinished last line, left by a crash, is cut off. */
  static async open(options: SinkFileOptions): Promise<SinkFile> {
    const file = new SinkFile(options)
    await new Promise<void>((opened, failed) => {
      file.#stream.once('open', () => opened())
      file.#stream.once('error', failed)
    })
    file.#tidy()
    return file
  }

  /** Bytes until the file is rotated. What is written beyond goes into the same file. */
  get room(): number {
    return Math.max(0, this.#size - (this.#held?.size ?? 0))
  }

  /** Writes whole lines. One call at a time; the next one only when there was no trouble. */
  async write(lines: Uint8Array): Promise<WriteResult> {
    this.#writing = lines
    this.#measured = undefined
    const failure = await new Promise<Error | null | undefined>((done) => this.#stream.write(lines, done))
    try {
      const written = this.#measured ?? this.#measure()
      const trouble = this.#troubleOf(this.#error ?? failure, written === lines.length)
      return trouble === undefined ? { written } : { written, trouble }
    } catch (error) {
      return { written: 0, trouble: troubleOf(error) }
    } finally {
      this.#writing = undefined
    }
  }

  /**
   * Puts all that was written onto the disk.
   * @throws when the disk refuses, once: the system may have dropped the data, and says yes the next time. So whatever was
   * written since the last good sync is in doubt.
   */
  sync(): Promise<void> {
    // One after the other: a handle is not closed while a sync of it is still waiting for its thread.
    const synced = this.#syncing.then(() => this.#sync())
    this.#syncing = synced.catch(() => undefined)
    return synced
  }

  async #sync(): Promise<void> {
    const rotated = this.#rotated.splice(0)
    const fds = this.#held === undefined ? rotated : [...rotated, this.#held.fd]
    const results = await Promise.allSettled(fds.map((fd) => this.#synchronise(fd)))
    // Their names may be gone by now: the file ends with its last handle, which takes milliseconds.
    for (const fd of rotated) closeLater(fd)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Closes the file after syncing it. */
  async close(): Promise<void> {
    if (!this.#stream.destroyed) await new Promise<void>((done) => this.#stream.end(done))
    const held = this.#held
    try {
      await this.sync()
    } finally {
      this.#held = undefined
      if (held !== undefined) closeSync(held.fd)
    }
  }

  #hold(): void {
    const fd = openSync(this.#path, 'r+')
    const { ino, size } = fstatSync(fd)
    this.#held = { fd, ino, size }
  }

  #letGo(): void {
    this.rotations++
    if (this.#writing !== undefined) this.#measured = this.#measure()
    if (this.#held !== undefined) this.#rotated.push(this.#held.fd)
    this.#held = undefined
    // What is older is removed by the rotation.
    while (this.#rotated.length > this.#keep) closeLater(this.#rotated.shift()!)
    try {
      this.#old.shift()
    } catch (error) {
      this.#error ??= error as Error
    }
  }

  #tidy(): void {
    this.#old.tidy().catch((error: unknown) => this.#onOldFile(troubleOf(error)))
  }

  /** How much of the write at hand is in the file, after cutting off what is no whole line. */
  #measure(): number {
    const [held, lines] = [this.#held, this.#writing]
    if (held === undefined || lines === undefined) return 0
    const { size, nlink } = fstatSync(held.fd)
    if (nlink === 0) return 0
    const grown = size - held.size
    held.size = size
    // Less than before: somebody else has cut the file (copytruncate), and it was written before or after that.
    if (grown < 0 || grown >= lines.length) return lines.length
    const whole = grown === 0 ? 0 : lines.lastIndexOf(newline, grown - 1) + 1
    if (whole < grown) {
      held.size -= grown - whole
      ftruncateSync(held.fd, held.size)
    }
    return whole
  }

  #troubleOf(error: Error | null | undefined, whole: boolean): Trouble | undefined {
    if (error) return troubleOf(error)
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino !== this.#held?.ino) return replaced
    return whole ? undefined : shortWrite
  }
}

const shortWrite: Trouble = { reason: 'ENOSPC', problem: 'only a part could be written' }
const replaced: Trouble = { reason: 'replaced', problem: 'somebody removed or renamed the file' }

/** What a failed system call means for the file. */
export function troubleOf(error: unknown): Trouble {
  const { code, message } = error as NodeJS.ErrnoException
  return { reason: code ?? 'error', problem: message }
}

const units: Record<string, number> = { B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** Of a size as rotating-file-stream takes it. */
export const bytesOf = (size: FileSize): number => Number.parseInt(size, 10) * (units[size.at(-1) ?? ''] ?? 1)

/** A file that was only read or is synced has nothing to say when it is closed. */
const closeLater = (fd: number): void => close(fd)

const longestTornLine = mebibyte

/** A crash in the middle of a write leaves a piece of a line: it would make the next one invalid. */
function cutTornLine(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0) return
  const fd = openSync(path, 'r+')
  try {
    const tail = new Uint8Array(Math.min(size, longestTornLine))
    readSync(fd, tail, 0, tail.length, size - tail.length)
    const whole = tail.lastIndexOf(newline) + 1
    if (whole > 0 || tail.length === size) ftruncateSync(fd, size - tail.length + whole)
  } finally {
    closeSync(fd)
  }
}
