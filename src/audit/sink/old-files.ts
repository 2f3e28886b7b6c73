import {
  close,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

export interface OldFilesOptions {
  /** Path of the log; the old files are `path.1` (the newest) and so on. */
  path: string
  /** Number of old files to keep. */
  keep: number
  /**
   * Whether to compress old files to `path.2.gz` and so on. `path.1` is not compressed, because a reader may not have
   * reached its end yet.
   */
  compress: boolean
  /** Maximum bytes of all files together, including the maximum of the live file. */
  max: number
  /** Approximate maximum bytes of the live file. */
  live: number
  mode: number
}

/** For the path of each log, the work in progress on its old files. */
const tidying = new Map<string, Promise<void>>()

/**
 * The old files of a log. All of them are renamed within one turn of the event loop, so a reader in this process never
 * sees a file under two names.
 */
export class OldFiles {
  readonly #options: OldFilesOptions

  constructor(options: OldFilesOptions) {
    this.#options = options
  }

  /** Frees the name `path.1`. @throws the system's error */
  shift(): void {
    const { keep } = this.#options
    for (let number = keep; number > 0; number--)
      for (const name of this.#names(number)) {
        if (number === keep) remove(name)
        else
          ifThere(() => {
            renameSync(name, `${this.#name(number + 1)}${name.endsWith('.gz') ? '.gz' : ''}`)
          })
      }
  }

  /**
   * Compresses old files. Removes the oldest files while all files together are too large. After a failure, the next
   * rotation tries again.
   */
  tidy(): Promise<void> {
    const { path, compress } = this.#options
    const tidied = (tidying.get(path) ?? Promise.resolve()).then(async () => {
      if (compress) await this.#compressAll()
      this.#fit()
    })
    // Callers wait for each other, because a reopened log has the same old files.
    const done = tidied
      .catch(() => undefined)
      .then(() => {
        if (tidying.get(path) === done) tidying.delete(path)
      })
    tidying.set(path, done)
    return tidied
  }

  async #compressAll(): Promise<void> {
    const scratch = `${this.#options.path}.compressing`
    ifThere(() => unlinkSync(scratch))
    // Start with the oldest file, which the next rotation removes.
    for (let number = this.#options.keep; number > 1; number--) {
      const plain = this.#name(number)
      if (statSync(plain, { throwIfNoEntry: false })?.isFile()) await this.#compress(plain, scratch)
    }
  }

  async #compress(plain: string, scratch: string): Promise<void> {
    const fd = ifThere(() => openSync(plain, 'r'))
    if (fd === undefined) return
    const { ino } = fstatSync(fd)
    const target = createWriteStream(scratch, { mode: this.#options.mode })
    await pipeline(createReadStream(plain, { fd }), createGzip(), target)
    const written = await open(scratch, 'r+')
    // The original may be removed only after this sync.
    await written.sync().finally(() => written.close())
    this.#replace(ino, scratch)
  }

  /** Replaces the original by the compressed file. Rotations may have renamed or removed the original meanwhile. */
  #replace(ino: number, compressed: string): void {
    for (let number = 1; number <= this.#options.keep; number++) {
      const plain = this.#name(number)
      if (statSync(plain, { throwIfNoEntry: false })?.ino !== ino) continue
      renameSync(compressed, `${plain}.gz`)
      unlinkSync(plain)
      return
    }
    remove(compressed)
  }

  #fit(): void {
    const { keep, max: most, live } = this.#options
    const files: { name: string; size: number }[] = []
    for (let number = 1; number <= keep; number++)
      for (const name of this.#names(number)) {
        const found = statSync(name, { throwIfNoEntry: false })
        if (found !== undefined) files.push({ name, size: found.size })
      }
    let all = files.reduce((sum, { size }) => sum + size, live)
    for (; all > most && files.length > 0; ) {
      const oldest = files.pop()!
      remove(oldest.name)
      all -= oldest.size
    }
  }

  #name(number: number): string {
    return `${this.#options.path}.${number}`
  }

  #names(number: number): readonly string[] {
    return [this.#name(number), `${this.#name(number)}.gz`]
  }
}

/**
 * Removes a file. A rename onto the file would also remove it, but ext4 would first write the renamed file's data to
 * disk (`auto_da_alloc`).
 */
function remove(path: string): void {
  ifThere(() => {
    const fd = openSync(path, 'r')
    unlinkSync(path)
    // The last close deletes the file. This takes milliseconds, so it runs in another thread.
    close(fd)
  })
}

/** The result of `act`; undefined if the file does not exist. */
function ifThere<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}
