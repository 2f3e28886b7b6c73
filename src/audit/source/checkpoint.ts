import { constants } from 'node:fs'
import { open, readFile, rename } from 'node:fs/promises'
import { asWall, type Clock, systemClock, type WallMs } from '../../base/clock.ts'
import type { Notify } from './source.ts'

export interface CheckpointOptions {
  /** Milliseconds between two writes, at least. Default 1,000. */
  everyMs?: number
  clock?: Clock
  notify?: Notify
}

/**
 * What an earlier run left.
 * - none: it is the first start here
 * - other: the run before used another source, so what it had read of this one is not known
 * - unreadable: the checkpoint is there and cannot be used
 */
export type Saved =
  | { kind: 'found'; position: unknown }
  /** `seen`: until when something was read; undefined where it is not known. */
  | { kind: 'other'; seen: WallMs | undefined }
  | { kind: 'none' | 'unreadable' }

interface Content {
  version: 1
  source: string
  position: unknown
  /** When it was written. Files of earlier versions lack it. */
  seen?: WallMs
}

/**
 * Keeps on disk how far the output has got. One source at a time is in use, and the file names it: a position of
 * another source is never taken up again, or what came through this one meanwhile would come twice.
 */
export class Checkpoint {
  readonly path: string
  readonly #everyMs: number
  readonly #clock: Clock
  readonly #notify: Notify
  #source: string | undefined
  #wanted: unknown
  #dirty = false
  #timer: { cancel(): void } | undefined
  #writing: Promise<void> = Promise.resolve()
  #trouble = ''
  #failures = 0
  #writes = 0

  constructor(
    path: string,
    { everyMs = 1_000, clock = systemClock, notify = () => undefined }: CheckpointOptions = {},
  ) {
    this.path = path
    this.#everyMs = everyMs
    this.#clock = clock
    this.#notify = notify
  }

  /** What the last run left for `source`. Never throws: what cannot be read is reported. */
  async read(source: string): Promise<Saved> {
    try {
      const content = parseContent(await readFile(this.path, 'utf8'))
      if (content === undefined) return this.#unreadable('is no checkpoint', null)
      if (content.source !== source) return { kind: 'other', seen: content.seen }
      return { kind: 'found', position: content.position }
    } catch (error) {
      const code = codeOf(error)
      return code === 'ENOENT' ? { kind: 'none' } : this.#unreadable('cannot be read', code)
    }
  }

  /**
   * From now on `source` is in use, beginning at `position`; undefined for sources that cannot go back. On disk when
   * this returns.
   */
  async begin(source: string, position: unknown): Promise<void> {
    this.#source = source
    this.commit(position)
    await this.flush()
  }

  /** The output of everything up to `position` is on disk. Cheap: written later, and only the last one. */
  commit(position: unknown): void {
    this.#wanted = position
    this.#dirty = true
    this.#timer ??= this.#clock.after(this.#everyMs, () => {
      this.#timer = undefined
      void this.flush()
    })
  }

  /** Writes what was committed, now. Never throws: a failure is reported once, and tried again with the next commit. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  stats(): { writes: number; failures: number } {
    return { writes: this.#writes, failures: this.#failures }
  }

  async #write(): Promise<void> {
    if (!this.#dirty || this.#source === undefined) return
    this.#dirty = false
    const seen = this.#clock.wall()
    const content: Content = { version: 1, source: this.#source, position: this.#wanted ?? null, seen }
    try {
      await writeWhole(this.path, `${JSON.stringify(content)}\n`)
      this.#writes++
      this.#trouble = ''
    } catch (error) {
      this.#dirty = true
      this.#failures++
      this.#unwritable(codeOf(error))
    }
  }

  #unreadable(what: string, errno: string | null): Saved {
    this.#notify({
      level: 'warn',
      code: 'checkpoint-unreadable',
      message: `the checkpoint ${what}: reading begins anew, and what was logged since the last run may be missing`,
      remedy: 'nothing is to be done for the future; what is missing: varmor decode FILE',
      context: { file: this.path, errno },
    })
    return { kind: 'unreadable' }
  }

  #unwritable(errno: string): void {
    if (errno === this.#trouble) return
    this.#trouble = errno
    this.#notify({
      level: 'warn',
      code: 'checkpoint-unwritable',
      message: 'the checkpoint cannot be written: after a restart events may come twice',
      remedy: 'see errno; it is tried again',
      context: { file: this.path, errno },
    })
  }
}

/** The code of a system error; a bug is thrown on. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  throw error
}

function parseContent(text: string): Content | undefined {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    return undefined
  }
  const { version, source, position, seen } = Object(content)
  if (version !== 1 || typeof source !== 'string') return undefined
  return { version, source, position, ...(Number.isFinite(seen) && { seen: asWall(seen) }) }
}

const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

/** The file has either its old content or its new one, whatever happens in between, a power cut included. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const handle = await open(temporary, writeFlags, 0o600)
  try {
    await handle.chmod(0o600)
    await handle.writeFile(text)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
}
