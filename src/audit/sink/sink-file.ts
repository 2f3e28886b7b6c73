import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
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
  /** Syncs a file's data to disk. Default: fdatasync(2). For tests. */
  synchronise?: (file: FileHandle) => Promise<void>
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

/** The file that the stream writes. */
interface Live {
  file: FileHandle
  ino: number
  /** Size of the file before the current write. */
  size: number
}

/**
 * A rotated file of complete lines. rotating-file-stream opens, writes and rotates it, but ignores how much it wrote,
 * does not notice that another program moved its file, and does not sync. So this class reads the size from the
 * stream's handle after each write, cuts off a partial line, and closes a rotated file only after its sync.
 */
export class SinkFile {
  #path: string
  #keep: number
  #old: OldFiles
  #onOldFile: (trouble: Trouble) => void
  #size: number
  #stream: RotatingFileStream
  #live: Live | undefined
  /** Rotated files that are not synced yet, the oldest first. */
  #rotated: FileHandle[] = []
  #writing: Uint8Array | undefined
  /** Bytes of the current write in the file, if they were measured early because the file is about to be rotated. */
  #measured: number | undefined
  #error: Error | undefined
  #synchronise: (file: FileHandle) => Promise<void>
  #syncing: Promise<unknown> = Promise.resolve()
  /** Number of rotations. */
  rotations = 0

  private constructor(options: SinkFileOptions) {
    const { path, size = '10M', rotate = 3, mode = 0o640, compress = false, total } = options
    this.#synchronise = options.synchronise ?? ((file) => file.datasync())
    this.#onOldFile = options.onOldFile ?? (() => undefined)
    this.#path = resolve(path)
    this.#keep = rotate
    this.#size = bytesOf(size)
    const max = total === undefined ? Number.POSITIVE_INFINITY : bytesOf(total)
    this.#old = new OldFiles({ path: this.#path, keep: rotate, compress, max, live: this.#size, mode })
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o750 })
    cutTornLine(this.#path)
    this.#stream = createStream(basename(this.#path), { path: dirname(this.#path), size, rotate: 1, mode })
    this.#stream.on('open', () => this.#opened())
    this.#stream.on('rotation', () => this.#rotate())
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
    return Math.max(0, this.#size - (this.#live?.size ?? 0))
  }

  /** Writes complete lines. Wait for the result before the next call. Do not call it again after trouble. */
  async write(lines: Uint8Array): Promise<WriteResult> {
    this.#writing = lines
    this.#measured = undefined
    const failure = await new Promise<Error | null | undefined>((done) =>
      this.#stream.write(lines, (error) => {
        // After an error, the stream destroys itself and closes its file, which is not measured and synced yet.
        if (error) this.#takeFile()
        done(error)
      }),
    )
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
    // Run one sync at a time: a sync must not end before an earlier sync that has taken the rotated files.
    const synced = this.#syncing.then(() => this.#sync())
    this.#syncing = synced.catch(() => undefined)
    return synced
  }

  async #sync(): Promise<void> {
    const rotated = this.#rotated.splice(0)
    const files = this.#live === undefined ? rotated : [...rotated, this.#live.file]
    const results = await Promise.allSettled(files.map((file) => this.#synchronise(file)))
    for (const file of rotated) closeLater(file)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Syncs and closes the file. */
  async close(): Promise<void> {
    const live = this.#live
    try {
      await this.sync()
    } finally {
      this.#live = undefined
      if (!this.#stream.destroyed) await new Promise<void>((done) => this.#stream.end(done))
      await live?.file.close()
    }
  }

  #opened(): void {
    const { file } = withHandle(this.#stream)
    if (file === undefined) throw new Error('rotating-file-stream has opened a file, but does not have its handle')
    const { ino, size } = fstatSync(file.fd)
    this.#live = { file, ino, size }
  }

  /** The stream is about to rotate the live file. */
  #rotate(): void {
    this.rotations++
    if (this.#writing !== undefined) this.#measured = this.#measure()
    if (this.#live !== undefined) this.#rotated.push(this.#live.file)
    this.#takeFile()
    this.#live = undefined
    // The rotation removes older files, so close their handles.
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

  /** Takes the live file from the stream, which then does not close it. */
  #takeFile(): void {
    withHandle(this.#stream).file = undefined
  }

  /** Number of bytes of the current write that are in the file. Cuts off a partial line. */
  #measure(): number {
    const [live, lines] = [this.#live, this.#writing]
    if (live === undefined || lines === undefined) return 0
    const { size, nlink } = fstatSync(live.file.fd)
    if (nlink === 0) return 0
    const grown = size - live.size
    live.size = size
    // The file became shorter: another process cut it (copytruncate), before or after the write.
    if (grown < 0 || grown >= lines.length) return lines.length
    const whole = grown === 0 ? 0 : lines.lastIndexOf(newline, grown - 1) + 1
    if (whole < grown) {
      live.size -= grown - whole
      ftruncateSync(live.file.fd, live.size)
    }
    return whole
  }

  #troubleOf(error: Error | null | undefined, whole: boolean): Trouble | undefined {
    if (error) return troubleOf(error)
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino !== this.#live?.ino) return replaced
    return whole ? undefined : shortWrite
  }
}

/** The handle of a stream's file, which the types of rotating-file-stream declare as private. */
const withHandle = (stream: RotatingFileStream): { file?: FileHandle | undefined } =>
  stream as unknown as { file?: FileHandle | undefined }

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

/** Closes a file on another thread. Errors do not matter, because the file is synced or about to be removed. */
function closeLater(file: FileHandle): void {
  file.close().catch(() => undefined)
}

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
