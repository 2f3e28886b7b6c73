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
  /** Of the log; the old files are `path.1`, the newest, and so on. */
  path: string
  /** How many are kept. */
  keep: number
  /** Whether they become `path.2.gz` and so on. `path.1` stays as it is: somebody may be about to read it to its end. */
  compress: boolean
  /** Bytes that all files together may have, with the live one at its largest. */
  most: number
  /** Bytes of the live one at its largest, about. */
  live: number
  mode: number
}

/** By the path of the log. */
const tidying = new Map<string, Promise<void>>()

/** The old files of a log. Their names change in one turn of the event loop, so whoever looks at them sees each under one name. */
export class OldFiles {
  readonly #options: OldFilesOptions

  constructor(options: OldFilesOptions) {
    this.#options = options
  }

  /** Makes room for `path.1`. @throws what the system refuses */
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

  /** Compresses what is to be compressed, and removes the oldest where all are too large; a failure is tried again after the next rotation. */
  tidy(): Promise<void> {
    const { path, compress } = this.#options
    const tidied = (tidying.get(path) ?? Promise.resolve()).then(async () => {
      if (compress) await this.#compressAll()
      this.#fit()
    })
    // One after the other, whoever asks for it: a log that is opened anew has the same old files.
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
    // The oldest first: it is the one that goes next.
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
    // Only then may the file go that it is made of.
    await written.sync().finally(() => written.close())
    this.#replace(ino, scratch)
  }

  /** Rotations meanwhile have given the file another name, or removed it. */
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
    const { keep, most, live } = this.#options
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
 * A rename onto an old file would remove it too. But then ext4 writes the data of the renamed file to the disk before
 * anything else happens (its `auto_da_alloc`), and here nobody waits for that.
 */
function remove(path: string): void {
  ifThere(() => {
    const fd = openSync(path, 'r')
    unlinkSync(path)
    // The file ends with its last handle, which takes milliseconds: not on this thread.
    close(fd)
  })
}

/** undefined when it is gone, or never was. */
function ifThere<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}
