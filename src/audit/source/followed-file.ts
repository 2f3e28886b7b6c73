import { type Clock, systemClock } from '../../base/clock.ts'
import type { SourceBatch } from '../batch/batch.ts'
import { AuditSourceError } from './audit-source-error.ts'
import { type ChangeHint, InotifyHint } from './change-hint.ts'
import { type FilePosition, noPosition } from './file-position.ts'
import { FileSequence, type SequenceCounts } from './file-sequence.ts'
import type { Gap, GapReason } from './find-place.ts'
import { type AuditSource, type LossKinds, type Notify, Pause, type SourceStats } from './source.ts'

export interface FollowOptions {
  /**
   * Where to start: at a checkpoint's position, or at the start or end of the live file. The default is `end`: only
   * lines written from now on are read. A file that does not exist yet is read from its start.
   */
  from?: FilePosition | 'beginning' | 'end'
  /** Whether a missing file is an error. Otherwise the source waits for the file. */
  mustExist?: boolean
  /** Maximum bytes of a batch; a longer line is cut. Default 262,144. */
  chunkBytes?: number
  /** Milliseconds between two checks of a file without new data. Default 250. */
  pollMs?: number
  /** Milliseconds to wait at the end of a file, so that the next read returns more lines. Default 5. */
  napMs?: number
  clock?: Clock
  notify?: Notify
  hint?: ChangeHint
}

export interface FollowStats extends SourceStats, SequenceCounts {
  /** Number of gaps by reason. The number of missing lines is unknown. */
  readonly dropped: Readonly<Record<GapReason, number>>
  batches: number
  bytes: number
  /** Unread bytes of the current file. */
  behind: number
  /** Number of failed file operations. Each failed operation is retried. */
  failures: number
}

const defaults = { chunkBytes: 262_144, pollMs: 250, napMs: 5 }

const remedies: Record<GapReason, string> = {
  vanished: 'keep at least one rotated file beside the log, for longer than any downtime of the agent',
  truncated: 'rotate by renaming (no copytruncate): it loses no lines',
  compressed: 'set delaycompress; to see the missing lines, run zcat FILE | varmor decode -',
  checkpoint: 'to see the missing lines, run varmor decode FILE',
}

/**
 * Follows a log file over restarts and over rotations, by renaming or by copying and truncating. While no batch is
 * requested, unread lines stay in the file, and at most one chunk is read ahead. Each batch has the position after the
 * batch. Commit this position when the output is on disk: only lines after the last commit may be read twice.
 */
export class FollowedFile implements AuditSource<FollowStats> {
  readonly name: string
  readonly losesInOrder = true
  readonly lossKinds: LossKinds = {
    vanished: { where: 'file', why: 'vanished', counted: false },
    truncated: { where: 'file', why: 'truncated', counted: false },
    compressed: { where: 'file', why: 'compressed', counted: false },
    checkpoint: { where: 'file', why: 'checkpoint', counted: false },
  } satisfies Record<GapReason, LossKinds[string]>
  readonly #options: Required<Omit<FollowOptions, 'from' | 'mustExist'>>
  readonly #pause: Pause
  readonly #files: FileSequence
  readonly #gaps: Record<GapReason, number> = { vanished: 0, truncated: 0, compressed: 0, checkpoint: 0 }
  #position: FilePosition
  #batches = 0
  #bytes = 0
  #failures = 0
  /** The last reported failure. */
  #trouble = ''
  /** Whether the source has warned about a truncation. */
  #warned = false
  #reading = false
  #stopping = false
  #closed = false
  /** Number of consecutive checks without new data. */
  #quiet = 0

  private constructor(path: string, options: FollowOptions) {
    const { from: _, mustExist: __, ...others } = options
    this.name = path
    this.#options = { ...defaults, clock: systemClock, notify: () => undefined, hint: new InotifyHint(), ...others }
    this.#pause = new Pause(this.#options.clock)
    this.#files = new FileSequence(path, this.#options.chunkBytes, (gap) => this.report(gap))
    this.#position = noPosition(path, this.#options.clock.wall())
  }

  /**
   * Finds the place to start. If the file does not exist, the source waits for the file.
   * @throws {AuditSourceError} MISSING, NOT_PERMITTED, SYSTEM
   */
  static async open(path: string, options: FollowOptions = {}): Promise<FollowedFile> {
    const source = new FollowedFile(path, options)
    try {
      await source.#files.begin(options.from ?? 'end')
    } catch (error) {
      await source.close()
      throw explainFileError(error, path)
    }
    const { position } = source.#files
    if (position === undefined && options.mustExist) {
      await source.close()
      const remedy = 'run the daemon that writes it, and mount its directory into the container'
      throw new AuditSourceError('MISSING', 'find the audit log', remedy, { file: path })
    }
    source.#position = position ?? source.#position
    return source
  }

  /** The position after the last batch; before the first batch, the place where reading starts. */
  get position(): FilePosition {
    return this.#position
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    if (this.#reading) throw new Error('a followed file has one reader')
    this.#reading = true
    try {
      while (!this.#closed && !this.#stopping) {
        const step = await this.#tried(() => this.#files.step())
        if (this.#closed) return
        if (step === 'nothing') await this.#idle()
        else if (step === 'moved') this.#moved()
        else if (step !== undefined) yield this.#batch(step, !this.#stopping)
      }
      yield* this.#drain()
    } finally {
      await this.close()
    }
  }

  /**
   * Reads the rest of the current file, and then ends. The next start reads later files of the rotation.
   */
  stop(): void {
    this.#stopping = true
    this.#pause.wake()
  }

  giveBack({ bytes }: SourceBatch): void {
    this.#files.giveBack(bytes.buffer)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#options.hint.disarm()
    this.#pause.wake()
    await this.#files.close()
  }

  stats(): FollowStats {
    const [batches, bytes, failures] = [this.#batches, this.#bytes, this.#failures]
    const { behind, counts } = this.#files
    return { ...counts, batches, bytes, behind, failures, dropped: { ...this.#gaps } }
  }

  /** Counts and reports a gap. */
  report({ reason, path, bytes }: Gap): void {
    this.#gaps[reason]++
    const message = 'lines of the audit log may be missing'
    const context = { file: path, reason, bytes }
    this.#options.notify({ level: 'warn', code: `gap-${reason}`, message, remedy: remedies[reason], context })
  }

  #moved(): void {
    this.#quiet = 0
    if (this.#warned || this.#files.counts.truncations === 0) return
    this.#warned = true
    const message =
      'the audit log was truncated in place: the lines written just before may be lost, which no reader can detect'
    const context = { file: this.name }
    this.#options.notify({ level: 'warn', code: 'truncated-in-place', message, remedy: remedies.truncated, context })
  }

  #batch(bytes: Uint8Array, ahead: boolean): SourceBatch {
    this.#quiet = 0
    this.#position = this.#files.position ?? this.#position
    this.#bytes += bytes.length
    if (ahead) this.#files.readAhead()
    const readAt = Math.floor(this.#options.clock.wall() / 1_000)
    return { source: this.name, seq: this.#batches++, format: 'auditlog', bytes, position: this.#position, readAt }
  }

  async *#drain(): AsyncGenerator<SourceBatch, void, void> {
    const end = await this.#tried(() => this.#files.end())
    if (end === undefined || this.#closed) return
    const done = () => this.#closed || this.#position.id !== end.id || this.#position.offset >= end.size
    while (!done()) {
      const step = await this.#tried(() => this.#files.step())
      if (step === undefined || step === 'nothing') break
      if (step !== 'moved') yield this.#batch(step, false)
    }
    const rest = end.deleted && !this.#closed ? await this.#tried(() => this.#files.rest()) : undefined
    if (rest !== undefined) yield this.#batch(rest, false)
  }

  /** Waits for `napMs`, and then for a hint of the system or the next check. */
  async #idle(): Promise<void> {
    const { hint, napMs, pollMs } = this.#options
    const quiet = this.#quiet++
    if (quiet === 0) return this.#pause.wait(napMs)
    if ((await this.#tried(() => this.#files.lookForNext())) === true || this.#closed) return
    if (quiet > 1) return this.#pause.wait(pollMs)
    hint.arm(this.name, () => {
      this.#quiet = 1 // Read the file before the hint is armed again.
      this.#pause.wake()
    })
  }

  /**
   * Runs `what`. After a system error, reports the error once, waits, and returns undefined. Then the caller tries
   * again.
   */
  async #tried<T>(what: () => Promise<T>): Promise<T | undefined> {
    try {
      const done = await what()
      this.#trouble = ''
      return done
    } catch (error) {
      if (this.#closed) return undefined
      const { code, message } = systemErrorOf(error)
      this.#failures++
      if (code !== this.#trouble) {
        const context = { file: this.name, errno: code }
        this.#options.notify({ level: 'warn', code: 'file-unreadable', message, remedy: 'see errno', context })
      }
      this.#trouble = code
      if (!this.#stopping) await this.#pause.wait(this.#options.pollMs)
      return undefined
    }
  }
}

/** Returns a system error, which has a code. Rethrows any other error, which is a bug. */
function systemErrorOf(error: unknown): { code: string; message: string } {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code))
    return { code: error.code, message: error.message }
  throw error
}

function explainFileError(error: unknown, path: string): AuditSourceError {
  const { code } = systemErrorOf(error)
  const context = { file: path, errno: code }
  if (code === 'EACCES' || code === 'EPERM')
    return new AuditSourceError(
      'NOT_PERMITTED',
      'read the audit log',
      `let the agent read ${path} (run it as root)`,
      context,
      {
        cause: error,
      },
    )
  const remedy = code === 'ENOTFILE' ? 'name a regular file' : 'see errno'
  return new AuditSourceError('SYSTEM', 'read the audit log', remedy, context, { cause: error })
}
