import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Backoff } from '../../base/backoff.ts'
import { newline } from '../../base/bytes.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { SourceBatch } from '../batch/batch.ts'
import type { Loss } from '../sink/loss-tally.ts'
import { AuditIds } from './audit-ids.ts'
import { type AuditLine, parseAuditLine } from './audit-line.ts'
import { AuditSourceError } from './audit-source-error.ts'
import type { MissedRecords } from './missed-records.ts'
import { earlier, type Moment, type Present, presentOf, storedMoment } from './moment.ts'
import { type AuditSource, type LossKinds, type Notify, Pause, type SourceStats } from './source.ts'

const seenUntil = Type.Composite([
  storedMoment,
  Type.Object({ serial: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })) }),
])

/**
 * The position of a source that does not store records: the time up to which all records were taken. `serial` is the
 * highest serial number of a taken record. The kernel numbers records since boot, so it does not depend on the clock.
 */
export type SeenUntil = Static<typeof seenUntil>

/** Parses a checkpoint's value; undefined if it is invalid. */
export function parseSeenUntil(value: unknown): SeenUntil | undefined {
  if (!Value.Check(seenUntil, value)) return undefined
  const { at, boot, up, serial } = value
  return { at, ...(boot !== undefined && up !== undefined && { boot, up, ...(serial !== undefined && { serial }) }) }
}

/** How to find records that the source sent while no agent listened. Other logs may have them. */
export interface Missed {
  /** All records before this position were taken. */
  since: SeenUntil
  /**
   * @param opened when the source was opened
   * @param stats the source's counts
   */
  find: (opened: Moment, stats: SourceStats) => Promise<Pick<MissedRecords, 'pieces' | 'ids'>>
}

export interface KeptSourceOptions {
  /** Missed records, which are passed on before all other records. */
  missed?: Missed
  notify?: Notify
  /** Called when events were missed because the source was closed. */
  lost?: (loss: Loss) => void
  clock?: Clock
  present?: Present
  random?: Random
  /** Maximum milliseconds between two batches. Without records, the batch is empty. Default 5,000. */
  aliveMs?: number
  /** Milliseconds during which it tries to reopen the source. Default 60,000. */
  timeout?: number
}

const delays = { first: 100, max: 10_000 }
/** Milliseconds that a record may be on its way from the kernel. */
export const underWay = 1_000
/** Maximum bytes of a line's type, time and serial. */
const maxHead = 64
/** Counts that are added up when the source is reopened. */
const counters = ['received', 'passed', 'filtered', 'stalls', 'configChanges', 'exclusionsRemoved']

/**
 * Keeps a source open that does not store records, such as a socket: after an error, it reopens the source. The
 * position of each batch says up to when all records were taken, so that the next start knows which records were
 * missed.
 */
export class KeptSource implements AuditSource {
  readonly name: string
  readonly lossKinds: LossKinds
  /** Number of times that the source was reopened. */
  restarts = 0
  readonly #open: () => AuditSource
  readonly #options: Required<Omit<KeptSourceOptions, 'missed'>>
  readonly #missed: Missed | undefined
  /** Ids of missed records that the source may also deliver. */
  #ids = new AuditIds()
  readonly #pause: Pause
  #source: AuditSource
  #before: SourceStats = { dropped: {} }
  #seq = 0
  readonly #openedAt: Moment
  #seen: SeenUntil
  /**
   * Whether missed records are not passed on yet. Until then the position does not move, so that the next agent finds
   * them if this agent ends.
   */
  #behind: boolean
  #stoppedAt: Moment | undefined
  #closed = false

  /** @throws the first error of `open` */
  constructor(open: () => AuditSource, options: KeptSourceOptions = {}) {
    const { notify = () => undefined, lost = () => undefined, clock = systemClock, random = Math.random } = options
    const { aliveMs = 5_000, timeout = 60_000, present = presentOf(clock) } = options
    this.#options = { notify, lost, clock, present, random, aliveMs, timeout }
    this.#open = open
    this.#pause = new Pause(clock)
    this.#source = open()
    this.name = this.#source.name
    this.lossKinds = this.#source.lossKinds ?? {}
    this.#missed = options.missed
    this.#behind = options.missed !== undefined
    this.#openedAt = present()
    this.#seen = options.missed?.since ?? this.#openedAt
  }

  /** The position after the last batch. */
  get position(): SeenUntil {
    return this.#seen
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    try {
      if (this.#missed !== undefined) yield* this.#catchUp(this.#missed)
      while (!this.#closed) {
        const error = yield* this.#follow(this.#source)
        if (error === undefined) break
        if (!(await this.#reopen(error))) break
      }
      if (this.#stoppedAt !== undefined && !this.#closed) yield this.#mark(this.#stoppedAt)
    } finally {
      await this.close()
    }
  }

  stop(): void {
    this.#stoppedAt ??= this.#options.present()
    this.#source.stop()
    this.#pause.wake()
  }

  giveBack(batch: SourceBatch): void {
    this.#source.giveBack?.(batch)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#pause.wake()
    await this.#source.close()
  }

  /** The counts. `behind`: whether missed records are not passed on yet. */
  stats(): SourceStats & { restarts: number; behind: boolean } {
    return { ...sumOf(this.#before, this.#source.stats()), restarts: this.restarts, behind: this.#behind }
  }

  /** Passes on the missed records. Waits first, because records may still be on their way to other logs. */
  async *#catchUp({ find }: Missed): AsyncGenerator<SourceBatch, void, void> {
    await this.#pause.wait(underWay)
    if (this.#closed || this.#stoppedAt !== undefined) return
    const { pieces, ids } = await find(this.#openedAt, this.#source.stats())
    this.#ids = ids
    const { name: source, position } = this
    for (const bytes of pieces) {
      if (this.#closed) return
      yield { source, seq: this.#seq++, format: 'auditlog', bytes, position }
    }
    this.#behind = false
  }

  /** Passes on the source's batches until the source ends. @returns the error that ended the source */
  async *#follow(source: AuditSource): AsyncGenerator<SourceBatch, AuditSourceError | undefined, void> {
    const batches = source[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = batches.next()
        const came = this.#came(next)
        while (!(await came())) yield this.#mark(earlier(this.#options.present(), underWay))
        const got = await next
        if (got.done) return undefined
        const { bytes } = got.value
        this.#take(bytes)
        const fresh = this.#ids.isEmpty ? bytes : bytes.subarray(0, this.#ids.leaveOut(bytes))
        yield { ...got.value, bytes: fresh, seq: this.#seq++, position: this.position }
      }
    } catch (error) {
      if (error instanceof AuditSourceError) return error
      throw error
    } finally {
      await source.close()
    }
  }

  /**
   * Returns a function that waits for the promise, in each call for at most `aliveMs`. The promise is awaited only
   * once: each `await` stays in memory until the promise settles, and a node may be quiet for months.
   * @returns a function that returns whether the promise is settled
   */
  #came(next: Promise<unknown>): () => Promise<boolean> {
    const { clock, aliveMs } = this.#options
    let isSettled = false
    let wake: () => void = () => undefined
    const settle = (): void => {
      isSettled = true
      wake()
    }
    next.then(settle, settle)
    return async () => {
      if (isSettled) return true
      let late: { cancel(): void } | undefined
      await new Promise<void>((resolve) => {
        wake = resolve
        late = clock.after(aliveMs, resolve)
      })
      late?.cancel()
      return isSettled
    }
  }

  /**
   * Moves the position to the last record of a batch. It does not move to the present, because further records may
   * arrive late on a slow machine. After a kill, the next agent looks for such records in other logs.
   */
  #take(bytes: Uint8Array): void {
    const now = this.#options.present()
    const last = lastRecord(bytes)
    const behind = last === undefined ? 0 : now.at - Math.round(last.time * 1000)
    this.#reach(earlier(now, Math.max(underWay, behind)), last?.serial)
  }

  /**
   * Moves the position forward. It compares times since boot, because the wall clock may be set back meanwhile.
   */
  #reach(moment: Moment, serial?: number): void {
    if (this.#behind) return
    const { boot, up, serial: known } = this.#seen
    const isOfBoot = boot === moment.boot && up !== undefined
    const last = Math.max(serial ?? -1, (isOfBoot ? known : undefined) ?? -1)
    const seen = isOfBoot && up > moment.up ? earlier(moment, moment.up - up) : moment
    this.#seen = { ...seen, ...(last >= 0 && { serial: last }) }
  }

  /** A batch without records. */
  #mark(moment: Moment): SourceBatch {
    this.#reach(moment)
    const { name: source, position } = this
    return { source, seq: this.#seq++, format: 'netlink', bytes: new Uint8Array(0), position }
  }

  /**
   * Reopens the source.
   * @returns false if `stop` was called meanwhile
   * @throws the last error if the source cannot be reopened in time, so that the caller can choose another source
   */
  async #reopen({ message, remedy, context }: AuditSourceError): Promise<boolean> {
    const { clock, present, notify, random, timeout, lost } = this.#options
    const [brokeAt, since] = [clock.now(), present().at]
    const about = { source: this.name, ...context }
    const broke = 'the audit source broke and is reopened; records are lost until then'
    notify({ level: 'warn', code: 'audit-source-broke', message: `${broke} (${message})`, remedy, context: about })
    const backoff = new Backoff({ ...delays, random })
    try {
      for (;;) {
        await this.#pause.wait(backoff.next())
        if (this.#closed || this.#stoppedAt !== undefined) return false
        if (this.#opened(clock.now() - brokeAt > timeout)) break
      }
    } finally {
      lost({ where: this.name, why: 'reopened', since })
    }
    this.#reach(this.#options.present())
    this.restarts++
    notify({ level: 'info', code: 'audit-source-back', message: 'the audit source works again', context: about })
    return true
  }

  /** Tries to open the source. @param last whether to throw the error, because there is no further attempt */
  #opened(last: boolean): boolean {
    let source: AuditSource
    try {
      source = this.#open()
    } catch (error) {
      if (error instanceof AuditSourceError && !last) return false
      throw error
    }
    this.#before = sumOf(this.#before, this.#source.stats())
    this.#source = source
    return true
  }
}

/** The last record of a batch; undefined if the batch does not contain a record. */
function lastRecord(batch: Uint8Array): AuditLine | undefined {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength)
  // Use only the start of the line, which processes cannot choose.
  const line = bytes.lastIndexOf(newline, -2) + 1
  return parseAuditLine(bytes.toString('latin1', line, line + maxHead))
}

function sumOf(before: SourceStats, now: SourceStats): SourceStats {
  const sum: Record<string, unknown> = { ...now }
  const dropped: Record<string, number | null> = { ...before.dropped }
  for (const [name, count] of Object.entries(now.dropped)) {
    const known = dropped[name] ?? null
    dropped[name] = known === null || count === null ? (count ?? known) : known + count
  }
  const earlier = before as unknown as Record<string, unknown>
  for (const name of counters)
    if (typeof sum[name] === 'number' && typeof earlier[name] === 'number') sum[name] = sum[name] + earlier[name]
  return { ...sum, dropped }
}
