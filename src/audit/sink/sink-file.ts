import { close, closeSync, fdatasync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createStream, type FileSize, type RotatingFileStream } from 'rotating-file-stream'
import { mebibyte, newline } from '../../base/bytes.ts'
import { OldFiles } from './old-files.ts'

export interface SinkFileOptions {
  path: string
  /** Size at which a file is rotated. Default 10M. */
  size?: FileSize
  /** Number of old files to keep, as `path.1` (the newest) and so on. Default 3. */
  rotate?: number
  /** Whether to compress old files except the newest, as `path.2.gz` and so on. Default false. */
  compress?: boolean
  /**
   * Maximum size of all files together; the oldest files are removed first. Default: the size that `size` and `rotate`
   * allow.
   */
  total?: FileSize
  /** Called when an old file cannot be compressed or removed. The next rotation tries again. */
  onOldFile?: (trouble: Trouble) => void
  /** Mode of new files. Default 0640; their directory gets 0750. */
  mode?: number
  /** Syncs a file's data to disk: fdatasync(2). For tests. */
  synchronise?: (fd: number) => Promise<void>
}

/** The reason why the file cannot be written and must be reopened. */
export interface Trouble {
  /** The code of a system error, or a word. */
  reason: string
  problem: string
}

/** The result of a write. */
export interface WriteResult {
  /** Number of bytes, up to the end of a line, that are in a file which still has a name. */
  written: number
  trouble?: Trouble
}

const fdatasyncOf = promisify(fdatasync)

/** Our handle of the file. rotating-file-stream has another handle of the same file. */
interface Held {
  fd: number
  ino: number
  /** Size of the file before the current write. */
  size: number
}

/**
 * A rotated file of complete lines. It uses rotating-file-stream, which does not sync, and does not check how many
 * bytes it wrote and whether its file still has a name. A second handle solves this: the file's size after each write
 * shows the written bytes, a partial line is cut off, and `sync` also syncs rotated files.
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
  /** Bytes of the current write in the file, if they were measured early because the file is about to be rotated. */
  #measured: number | undefined
  #error: Error | undefined
  #synchronise: (fd: number) => Promise<void>
  #syncing: Promise<unknown> = Promise.resolve()
  /** Number of rotations. */
  rotations = 0

  private constructor(options: SinkFileOptions) {
    const { path, size = '10M', rotate = 3, mode = 0o640, compress = false, total } = options
    this.#synchronise = options.synchronise ?? fdatasyncOf
    this.#onOldFile = options.onOldFile ?? (() => undefined)
    this.#path = resolve(path)
    this.#keep = rotate
    this.#size = bytesOf(size)
    const max = total === undefined ? Number.POSITIVE_INFINITY : bytesOf(total)
    this.#old = new OldFiles({ path: this.#path, keep: rotate, compress, max, live: this.#size, mode })
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

  /** Opens or creates the file and its directory. Cuts off an unfinished last line, which a crash may leave. */
  static async open(options: SinkFileOptions): Promise<SinkFile> {
    const file = new SinkFile(options)
    await new Promise<void>((opened, failed) => {
      file.#stream.once('open', () => opened())
      file.#stream.once('error', failed)
    })
    file.#tidy()
    return file
  }

  /** Bytes until the next rotation. A longer write is not split: all its bytes go into the same file. */
  get room(): number {
    return Math.max(0, this.#size - (this.#held?.size ?? 0))
  }

  /** Writes complete lines. Wait for the result before the next call. Do not call it again after trouble. */
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
   * Syncs all written data.
   * @throws once if the sync fails. The kernel may have dropped the data, and the next sync succeeds. So all data since
   * the last successful sync is in doubt.
   */
  sync(): Promise<void> {
    // Run one sync at a time, because a handle must not be closed while its sync waits for a thread.
    const synced = this.#syncing.then(() => this.#sync())
    this.#syncing = synced.catch(() => undefined)
    return synced
  }

  async #sync(): Promise<void> {
    const rotated = this.#rotated.splice(0)
    const fds = this.#held === undefined ? rotated : [...rotated, this.#held.fd]
    const results = await Promise.allSettled(fds.map((fd) => this.#synchronise(fd)))
    // If a file no longer has a name, the last close deletes the file, which takes milliseconds.
    for (const fd of rotated) closeLater(fd)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Syncs and closes the file. */
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
    // Close the handles of files that the rotation removes.
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

  /** Cuts off a partial line. @returns the number of bytes of the current write that are in the file */
  #measure(): number {
    const [held, lines] = [this.#held, this.#writing]
    if (held === undefined || lines === undefined) return 0
    const { size, nlink } = fstatSync(held.fd)
    if (nlink === 0) return 0
    const grown = size - held.size
    held.size = size
    // If the file became shorter, another process has truncated it (logrotate's copytruncate).
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

const shortWrite: Trouble = { reason: 'ENOSPC', problem: 'only a part was written' }
const replaced: Trouble = { reason: 'replaced', problem: 'another program removed or renamed the file' }

/** The trouble that a failed system call means for the file. */
export function troubleOf(error: unknown): Trouble {
  const { code, message } = error as NodeJS.ErrnoException
  return { reason: code ?? 'error', problem: message }
}

const units: Record<string, number> = { B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** The number of bytes that rotating-file-stream understands by a size such as `10M`. */
export const bytesOf = (size: FileSize): number => Number.parseInt(size, 10) * (units[size.at(-1) ?? ''] ?? 1)

/** Closes a file in the background. Errors do not matter, because the file is synced or was only read. */
const closeLater = (fd: number): void => close(fd)

const maxTornLine = mebibyte

/** Cuts off a partial last line, which a crash during a write leaves. Otherwise the next line would continue it. */
function cutTornLine(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0) return
  const fd = openSync(path, 'r+')
  try {
    const tail = new Uint8Array(Math.min(size, maxTornLine))
    readSync(fd, tail, 0, tail.length, size - tail.length)
    const whole = tail.lastIndexOf(newline) + 1
    if (whole > 0 || tail.length === size) ftruncateSync(fd, size - tail.length + whole)
  } finally {
    closeSync(fd)
  }
}
