import { backoff } from '../../base/backoff.ts'
import { mebibyte } from '../../base/bytes.ts'
import type { Clock, WallMs } from '../../base/clock.ts'
import { statementLine, type Writer } from './agent-events.ts'
import { LineQueue, type Offer, type OfferResult } from './line-queue.ts'
import { LossLog } from './loss-log.ts'
import { SinkFile, type SinkFileOptions, type Trouble, troubleOf } from './sink-file.ts'

export interface SinkOptions extends SinkFileOptions {
  clock: Clock
  /** Numbers in [0, 1), for the backoff. */
  random: () => number
  /** The facts about the agent for the agent's own lines. */
  writer: Writer
  /** The losses of all stages. This sink writes their lines, and closes the LossLog. Default: a new LossLog. */
  losses?: LossLog
  /** The name of the stage in this sink's own losses. Default `sink`. */
  stage?: string
  /** Maximum waiting bytes; further lossy offers are dropped. Default 16 MiB. */
  bound?: number
  /** Milliseconds after which the sink syncs written lines, unless a caller syncs before. Default 10,000. */
  storeWithin?: number
  /** Called when the file cannot be written, and with undefined when it can be written again. */
  onTrouble?: (trouble: Trouble | undefined) => void
  /** Opens the file; tests replace it. */
  open?: (options: SinkFileOptions) => Promise<Pick<SinkFile, 'write' | 'sync' | 'close' | 'rotations' | 'room'>>
}

type OpenFile = Awaited<ReturnType<NonNullable<SinkOptions['open']>>>

/** Thrown after a failed sync: it is unknown which data since the last successful sync is on disk. */
export class NotStored extends Error {
  readonly reason: string

  constructor({ reason, problem }: Trouble) {
    super(`the disk did not store the log: ${problem}`)
    this.name = 'NotStored'
    this.reason = reason
  }
}

const retryDelays = { first: 100, max: 30_000 }

/**
 * The log file with a queue. A failed write is repeated on a reopened file until it succeeds or the sink is closed. A
 * line is written at once if the disk is idle. While the disk is busy, lines are gathered, so that many lines need few
 * writes.
 */
export class Sink {
  readonly dropped: Record<string, number> = {}
  readonly losses: LossLog
  /** Number of written lines that no caller offered, such as lines about losses. */
  reports = 0
  /** Number of times that the file was reopened after trouble. */
  reopened = 0
  /** Number of failed syncs. */
  syncFailures = 0
  #options: SinkOptions
  #bound: number
  #stage: string
  #queue = new LineQueue()
  #file: OpenFile | undefined
  #opening: Promise<OpenFile> | undefined
  #retiring = new Set<Promise<void>>()
  #running: Promise<void> | undefined
  #roomWanted: (() => void)[] = []
  #trouble: Trouble | undefined
  #failures = 0
  /** A failed sync that `sync` has not reported yet. */
  #unstored: Trouble | undefined
  /** All data that was written before this time is synced. */
  #storedAt: WallMs
  /** The timer of the next sync. */
  #storing: { cancel(): void } | undefined
  #closing = false
  /** Time of the last successful write, or of the call of `hurry`, by the clock. */
  #tookAt = 0
  #deadline: { cancel(): void } | undefined
  #giveUp = false
  #wake: () => void = () => undefined

  constructor(options: SinkOptions) {
    this.#options = options
    this.#bound = options.bound ?? 16 * mebibyte
    this.#stage = options.stage ?? 'sink'
    this.losses = options.losses ?? new LossLog({ clock: options.clock })
    this.#storedAt = options.clock.wall()
    this.losses.onLine(() => this.#giveUp || void this.#run())
  }

  /** Number of waiting lines. */
  get depth(): number {
    return this.#queue.lines
  }

  get bytes(): number {
    return this.#queue.bytes
  }

  /** When the first waiting line arrived, by the clock. */
  get oldest(): number | undefined {
    return this.#queue.oldest
  }

  /** The reason why the file cannot be written now; undefined if it can. */
  get trouble(): Trouble | undefined {
    return this.#trouble
  }

  /**
   * Whether a caller that can wait may offer lines. Half of the room is for callers that cannot wait, whose lines would
   * be dropped.
   */
  get #hasRoom(): boolean {
    return this.#queue.bytes < this.#bound / 2
  }

  /**
   * Opens the file. Without this call, the first write opens it.
   * @throws the error of the file or its directory
   */
  async ready(): Promise<void> {
    this.#file ??= await this.#openFile()
  }

  /**
   * Waits until the queue is below half of its limit.
   * @param timeout maximum milliseconds to wait; default: no limit
   */
  async room(timeout?: number): Promise<void> {
    if (this.#hasRoom || this.#giveUp) return
    let isOver = false
    const end = (): void => {
      isOver = true
      this.#wakeAll()
    }
    const timer = timeout === undefined ? undefined : this.#options.clock.after(timeout, end)
    while (!this.#hasRoom && !this.#giveUp && !isOver)
      await new Promise<void>((resolve) => this.#roomWanted.push(resolve))
    timer?.cancel()
  }

  /** Takes lines in the order of the calls, and settles each offer once. */
  offer(offer: Offer): void {
    const full = offer.lossy && this.#queue.bytes + offer.bytes.length > this.#bound
    if (offer.bytes.length === 0) offer.settle({ written: 0, dropped: 0 })
    else if (this.#giveUp) this.#drop(offer, 'stopped')
    else if (full) this.#drop(offer, this.#trouble?.reason ?? 'slow-disk')
    else {
      this.#queue.push(offer, this.#options.clock.now())
      void this.#run()
    }
  }

  /**
   * Syncs all data written so far.
   * @throws NotStored once, if data since the last successful sync may be lost. The next call is about later data
   */
  async sync(): Promise<void> {
    await this.#store()
    const trouble = this.#unstored
    this.#unstored = undefined
    if (trouble !== undefined) throw new NotStored(trouble)
  }

  async #store(): Promise<void> {
    const [started, failures] = [this.#options.clock.wall(), this.syncFailures]
    this.#notStoring()
    while (this.#retiring.size > 0) await Promise.all(this.#retiring)
    await this.#file?.sync().catch((error: unknown) => this.#notStored(error))
    if (this.syncFailures === failures) this.#storedAt = started
  }

  #storeLater(): void {
    const { clock, storeWithin = 10_000 } = this.#options
    this.#storing ??= clock.after(storeWithin, () => void this.#store())
  }

  #notStoring(): void {
    this.#storing?.cancel()
    this.#storing = undefined
  }

  /**
   * From now on, if the disk does not write for this many milliseconds, all waiting and later lines are dropped with
   * the reason `stopped`.
   */
  hurry(timeout: number): void {
    if (this.#closing) return
    this.#closing = true
    this.#tookAt = this.#options.clock.now()
    this.#watch(timeout)
  }

  /**
   * Writes all waiting lines, syncs and closes. Call `hurry` first; otherwise this waits for ever for a disk that does
   * not write.
   */
  async close(): Promise<void> {
    this.#closing = true
    while (!this.#giveUp && (this.#queue.bytes > 0 || this.losses.owesLine(true))) await this.#run()
    this.#deadline?.cancel()
    this.#giveUpAll()
    await this.#running
    this.#notStoring()
    await Promise.all(this.#retiring)
    await this.#file?.close().catch((error: unknown) => this.#notStored(error))
    this.#file = undefined
    this.losses.close()
  }

  #watch(timeout: number): void {
    this.#deadline = this.#options.clock.after(timeout, () => {
      const isIdle = this.#queue.bytes === 0 && this.#running === undefined
      const since = Math.max(this.#tookAt, this.#queue.oldest ?? this.#tookAt)
      if (isIdle || this.#options.clock.now() - since < timeout) this.#watch(timeout)
      else this.#giveUpAll()
    })
  }

  #giveUpAll(): void {
    this.#giveUp = true
    this.#wake()
    this.#giveRoom()
    // A write in progress may still succeed.
    if (this.#running === undefined) this.#dropAll()
  }

  #dropAll(): void {
    for (const offer of this.#queue.takeAll()) this.#drop(offer, 'stopped')
  }

  #run(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined
      if (this.#giveUp) this.#dropAll()
      else if (this.#queue.bytes > 0) void this.#run()
    })
    return this.#running
  }

  async #work(): Promise<void> {
    do {
      const file = this.#file ?? (await this.#open())
      if (file === undefined) continue
      if (this.#owesReport()) await this.#report()
      const piece = this.#queue.next(file.room)
      if (piece === undefined) break
      const { written, trouble } = await file.write(piece)
      this.#queue.confirm(written)
      this.#giveRoom()
      if (written > 0) {
        this.#failures = 0
        this.#tookAt = this.#options.clock.now()
        this.#storeLater()
      }
      if (trouble !== undefined) await this.#fail(trouble)
      else this.#recover()
    } while (!this.#giveUp && (this.#queue.bytes > 0 || this.#file === undefined || this.#owesReport()))
  }

  /**
   * Opens the file. Concurrent calls share one attempt: the line of a loss may need the file while `ready` opens it.
   */
  #openFile(): Promise<OpenFile> {
    this.#opening ??= (this.#options.open ?? SinkFile.open)(this.#options).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(): Promise<OpenFile | undefined> {
    try {
      this.#file = await this.#openFile()
      return this.#file
    } catch (error) {
      await this.#fail(troubleOf(error))
      return undefined
    }
  }

  async #fail(trouble: Trouble): Promise<void> {
    this.#retire()
    this.reopened++
    if (this.#trouble?.reason !== trouble.reason) this.#options.onTrouble?.(trouble)
    this.#trouble = trouble
    const { clock, random } = this.#options
    // Recreate a removed file at once, but wait if it is removed again.
    const delay =
      trouble.reason === 'replaced' && this.#failures === 0 ? 0 : backoff(this.#failures, retryDelays, random)
    this.#failures++
    if (this.#giveUp) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      clock.after(delay, resolve)
    })
  }

  #retire(): void {
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    const closed = file.close().catch((error: unknown) => this.#notStored(error))
    this.#retiring.add(closed)
    void closed.then(() => this.#retiring.delete(closed))
  }

  /** Stores that a sync failed. The kernel may have dropped data, and reports this only once. */
  #notStored(error: unknown): void {
    this.#unstored = troubleOf(error)
    this.syncFailures++
    this.losses.note({ where: this.#stage, why: `sync-${this.#unstored.reason}`, since: this.#storedAt })
  }

  #recover(): void {
    this.#failures = 0
    if (this.#trouble !== undefined) this.#options.onTrouble?.(undefined)
    this.#trouble = undefined
  }

  #drop(offer: Offer & { writtenLines?: number }, reason: string): void {
    const written = offer.writtenLines ?? 0
    const dropped = offer.lines - written
    this.dropped[reason] = (this.dropped[reason] ?? 0) + dropped
    const { source, reached } = offer.from ?? {}
    const loss = { where: this.#stage, why: reason, events: dropped }
    this.losses.note({ ...loss, ...(source !== undefined && { source }) }, reached)
    offer.settle({ written, dropped, reason })
  }

  #owesReport(): boolean {
    return this.losses.owesLine(this.#closing) && (this.#closing || this.#queue.bytes < this.#bound / 2)
  }

  /**
   * When the queue has room again, adds lines that report the events missing before them. The ids of these lines are
   * stored first. After a kill, the next agent finds the ids in the log, and does not report the same counts again.
   */
  async #report(): Promise<void> {
    const seconds = Math.floor(this.#options.clock.wall() / 1000)
    const statements = this.losses.takeStatements(this.#closing)
    const lines = statements.map((statement) => {
      const { bytes, id } = statementLine(this.#options.writer, seconds, statement)
      statement.id = id
      const settle = ({ reason }: OfferResult): void => {
        if (reason !== undefined) return
        this.reports++
        void this.losses.said(statement)
      }
      return { bytes, lines: 0, lossy: false, settle }
    })
    await this.losses.beforeLines(statements)
    for (const line of lines) this.#queue.push(line, this.#options.clock.now())
  }

  #giveRoom(): void {
    if (this.#hasRoom || this.#giveUp) this.#wakeAll()
  }

  /** Wakes all callers that wait for room. They wait again if there is still not enough room. */
  #wakeAll(): void {
    for (const resolve of this.#roomWanted.splice(0)) resolve()
  }
}
