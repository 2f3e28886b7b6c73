import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Milliseconds between polls: a log of 10 MB takes seconds to fill, and rotation keeps three older files. */
const pollInterval = 100

/** Keeps all lines of a log, including those that rotation removes: each file gets a hard link while it exists. */
export class KeptLog {
  readonly #folder: string
  readonly #name: string
  readonly #kept: string
  readonly #taken = new Set<string>()
  readonly #timer: NodeJS.Timeout

  /**
   * @param folder folder of the log; `kept` is created beside it. Other files of the folder, such as a checkpoint or a
   * digest, must not start with `name`.
   */
  constructor(folder: string, name = 'violations.log') {
    this.#folder = folder
    this.#name = name
    this.#kept = `${folder}.kept`
    mkdirSync(this.#kept, { recursive: true })
    this.#timer = setInterval(() => this.#poll(), pollInterval)
  }

  /** Returns the lines of full files, which no longer change, and drops these files. */
  takeFull(): string[] {
    this.#poll()
    const current = String(statSync(join(this.#folder, this.#name), { throwIfNoEntry: false })?.ino)
    const full = namesIn(this.#kept).filter((name) => name !== current)
    for (const name of full) this.#taken.add(name)
    return this.#take(full)
  }

  /** Stops polling, because another KeptLog takes over the files. */
  leave(): void {
    clearInterval(this.#timer)
  }

  /** Returns the remaining lines after the last write, and removes all files, which take the guest's memory. */
  end(): string[] {
    clearInterval(this.#timer)
    this.#poll()
    const lines = this.#take(namesIn(this.#kept))
    for (const folder of [this.#folder, this.#kept]) rmSync(folder, { recursive: true, force: true })
    return lines
  }

  #take(kept: readonly string[]): string[] {
    const paths = kept.map((name) => join(this.#kept, name))
    const texts = paths.map((path) => readFileSync(path, 'utf8'))
    for (const path of paths) rmSync(path)
    return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''))
  }

  #poll(): void {
    for (const name of namesIn(this.#folder).filter((file) => file.startsWith(this.#name))) {
      const link = join(this.#kept, 'new')
      try {
        // Rotation may rename the file at any moment. A link keeps the file.
        linkSync(join(this.#folder, name), link)
      } catch (error) {
        // The file was renamed just now. The next poll finds its new name.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        throw error
      }
      const inode = String(statSync(link).ino)
      // Does nothing if the file is already kept.
      if (!this.#taken.has(inode)) renameSync(link, join(this.#kept, inode))
      rmSync(link, { force: true })
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
