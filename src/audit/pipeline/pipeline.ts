import { type Clock, sinceBoot } from '../../base/clock.ts'
import type { BatchResult, Deferred, SourceBatch } from '../batch/batch.ts'
import type { Digest } from '../digest/digest.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import type { Recorded } from '../model/recorded.ts'
import type { DecodePool } from '../pool/decode-pool.ts'
import type { Statement } from '../sink/agent-events.ts'
import type { OfferResult } from '../sink/line-queue.ts'
import type { LossCount, Reached } from '../sink/loss-log.ts'
import type { Loss } from '../sink/loss-tally.ts'
import { NotStored, type Sink } from '../sink/sink.ts'
import type { AuditSource } from '../source/source.ts'
import { SourceLosses } from '../source/source-losses.ts'
import { Accounting } from './accounting.ts'
import { Deferral, type DeferralOptions, type Retry } from './deferral.ts'
import { type InFlightBatch, OrderedQueue } from './ordered-queue.ts'
import { Slots } from './slots.ts'
import { SnapshotChanges } from './snapshot-changes.ts'
import { HeldLines } from './throttled-lines.ts'

export interface PipelineSource {
  source: AuditSource
  /**
   * What happens to unread data. `waits`: the data stays (in a file, or in the BPF ring, which counts its overflow), so
   * a full queue stops reading without a loss. `loses`: the data disappears (from a socket), so reading continues after
   * a while, and the sink drops and counts the lines that the disk does not take.
   */
  pressure: 'waits' | 'loses'
  /**
   * Stores a position, and the counts up to it. undefined keeps the stored position. Called after all lines up to the
   * position are on disk.
   */
  commit?: (position: unknown, counts: readonly Statement[]) => Promise<void>
  /**
   * Called when everything up to a position is in the log, or in a count that is reported or stored. The log may still
   * be in the page cache.
   */
  written?: (position: unknown, lossMark: unknown) => void
}

/** The stored state of a source without `commit`: its counts, and the place where it continues. */
export interface Part {
  place?: unknown
  counts: readonly Statement[]
}

/** The functions of the workers' pool that the pipeline uses. */
export type Decoder = Pick<
  DecodePool,
  'capacity' | 'process' | 'recycle' | 'seenProcesses' | 'depth' | 'givenUp' | 'failures' | 'refused'
>

export interface PipelineOptions {
  sources: readonly PipelineSource[]
  pool: Decoder
  sink: Sink
  feed: SnapshotFeed
  clock: Clock
  /** Returns milliseconds since boot. For tests. */
  sinceBoot?: () => number
  /** Counts all lines by kind, and may hold lines back. It needs workers that return the kind of each line. */
  digest?: Digest
  /** The accounting of an earlier pipeline, which this pipeline continues. Default: a new accounting. */
  accounting?: Accounting
  /**
   * Stores these parts by name; other stored parts stay. Like the kernel's rings, the store survives the process, but
   * not a power cut.
   */
  keep?: (parts: Readonly<Record<string, Part>>) => Promise<void>
  deferral?: Pick<DeferralOptions<Job>, 'timeout' | 'bound'>
  /**
   * Milliseconds between two stored positions. Each store syncs the log, and after a crash, everything since the last
   * store is read again. Default 250.
   */
  commitEvery?: number
  /** Milliseconds after which a disk that did not store the log is tried again. Default 10,000. */
  doubtTimeout?: number
  /** Milliseconds that a stop waits for a source, and for a disk that does not write. Default 5,000. */
  stopTimeout?: number
  /** Receives the behaviour of workloads whose policies model it. */
  onRecorded?: (recorded: readonly Recorded[]) => void
  /** Called with an error that does not end the pipeline. */
  onError?: (error: unknown) => void
}

/**
 * The length of one queue. `batches`: all batches that are not completely in the log, including those in the other
 * queues. `workers`: batches that are being decoded. `deferred`: results with records that wait for their container.
 * `log`: lines that wait for the disk.
 */
export interface Queue {
  queue: 'batches' | 'workers' | 'deferred' | 'log'
  depth: number
  bytes?: number
  /** Seconds that its oldest item has waited. */
  age?: number
}

/** Ends a pipeline when the disk may have lost lines. The next pipeline reads from the stored position again. */
export class LogInDoubt extends Error {
  constructor(cause: NotStored) {
    super('the disk may have lost written lines; reading again from the stored position, which writes them again', {
      cause,
    })
    this.name = 'LogInDoubt'
  }
}

/** A batch with its state in the pipeline. */
interface Job {
  batch: SourceBatch
  input: Input
  inFlight: InFlightBatch
  /** When the batch was read, by the clock that stamps its records in the kernel. */
  readAt: number
  /** Set if its records have waited before. */
  before: Retry<Job>['before'] | undefined
}

/** A source and its batches, in order. */
interface Input extends PipelineSource {
  /** Identifies the source in counts; the source's name need not be unique. */
  key: string
  queue: OrderedQueue
  /** Number of counts that became final since the source's part was stored. */
  counted: number
  losses: SourceLosses
  held: HeldLines
}

/**
 * Milliseconds that a source with the pressure `loses` waits for room in the log. Meanwhile the source's ring and
 * socket keep a burst that is faster than the disk.
 */
const roomTimeout = 2_000

/** Milliseconds between two checks of the sources' losses. */
const pollInterval = 1_000

/**
 * Connects sources, worker threads, the deferral of events without a container, and the log. The events of a source
 * stay in order, except that deferred events come later.
 */
export class Pipeline {
  readonly accounting: Accounting
  readonly deferral: Deferral<Job>
  #options: PipelineOptions
  #inputs: Input[]
  #slots: Slots
  #working = new Set<Promise<void>>()
  #storing: Promise<unknown> = Promise.resolve()
  /** Whether a line has reported a count that the store still has as unreported. */
  #said = false
  #keeping: Promise<void> | undefined
  #timer: { cancel(): void } | undefined
  #storedAt = Number.NEGATIVE_INFINITY
  /**
   * Set when a sync of the log has failed. From then on, the pipeline does not store positions of sources with the
   * pressure `waits`.
   */
  #doubt: NotStored | undefined
  #needsRestart = false
  #stopping = false
  #ending = false
  #ended: Promise<void> | undefined
  #cutShort: { cancel(): void } | undefined
  #looking: { cancel(): void } | undefined

  constructor(options: PipelineOptions) {
    this.#options = options
    const { clock, feed, pool, sources, sink, deferral, accounting, onError } = options
    this.accounting = accounting ?? new Accounting((profileName) => feed.policies.get(profileName))
    const wall = () => clock.wall()
    this.#inputs = sources.map((source, number) => ({
      ...source,
      key: `${number} ${source.source.name}`,
      queue: new OrderedQueue(),
      counted: 0,
      losses: new SourceLosses(source.source, this.#noting(`${number} ${source.source.name}`), wall),
      held: new HeldLines({ source: source.source, clock, feed, sink, ...(onError !== undefined && { onError }) }),
    }))
    sink.losses.beforeLines = (statements) => this.#beforeLines(statements)
    sink.losses.afterLine = (statement) => this.#afterLine(statement)
    this.#slots = new Slots(pool.capacity)
    const reader = new SnapshotChanges(feed, pool.seenProcesses)
    const news = () => reader.take()
    this.deferral = new Deferral({ ...deferral, clock, news, retry: (retry) => this.#retry(retry) })
  }

  /** Queue lengths and drops of each stage, for metrics. */
  get stages() {
    const { pool, sink } = this.#options
    return {
      source: this.#inputs.map(({ source, queue }) => ({ name: source.name, depth: queue.depth, ...source.stats() })),
      pool: {
        depth: pool.depth,
        waiting: this.#slots.depth,
        givenUp: pool.givenUp,
        refused: pool.refused,
        ...pool.failures,
      },
      deferral: { depth: this.deferral.depth, bytes: this.deferral.bytes, cutShort: this.deferral.cutShort },
      sink: {
        depth: sink.depth,
        bytes: sink.bytes,
        dropped: sink.dropped,
        reopened: sink.reopened,
        syncFailures: sink.syncFailures,
      },
    }
  }

  /** Number of containers whose lines are being held back. */
  get holding(): number {
    const inKernel = new Set(this.#inputs.flatMap(({ held }) => [...held.holding]))
    return (this.#options.digest?.holding ?? 0) + inKernel.size
  }

  /** The queues, and the age of their oldest items. */
  get queues(): Queue[] {
    const { clock, pool, sink } = this.#options
    const now = clock.now()
    const age = (since = now): number => Math.max(0, now - since) / 1000
    const inOrder = this.#inputs.map(({ queue }) => queue)
    return [
      {
        queue: 'batches',
        depth: inOrder.reduce((sum, { depth }) => sum + depth, 0),
        age: Math.max(0, ...inOrder.map(({ oldest }) => age(oldest))),
      },
      { queue: 'workers', depth: pool.depth },
      { queue: 'deferred', depth: this.deferral.depth, bytes: this.deferral.bytes, age: age(this.deferral.oldest) },
      { queue: 'log', depth: sink.depth, bytes: sink.bytes, age: age(sink.oldest) },
    ]
  }

  /** Losses of all stages, by place and reason. */
  get losses(): readonly LossCount[] {
    const { sink, digest } = this.#options
    return [...sink.losses.counts, ...(digest?.losses ?? [])]
  }

  /**
   * Runs until all sources have ended and their records are on disk or accounted for.
   * @throws the error of a source that failed permanently, after the other sources have ended
   * @throws LogInDoubt
   */
  run(): Promise<void> {
    this.#ended ??= this.#run()
    return this.#ended
  }

  /**
   * Stops the sources, after which `run` ends. A slow source or disk delays the end by at most `stopTimeout`. The next
   * start reads the rest from the file.
   */
  stop(): void {
    const { clock, sink, stopTimeout = 5000 } = this.#options
    this.#stopping = true
    for (const { source } of this.#inputs) source.stop()
    this.#cutShort ??= clock.after(stopTimeout, () => {
      for (const { source } of this.#inputs) void source.close()
    })
    sink.hurry(stopTimeout)
  }

  async #run(): Promise<void> {
    this.#poll()
    const ends = await Promise.allSettled(this.#inputs.map((input) => this.#follow(input)))
    this.#looking?.cancel()
    this.deferral.close()
    while (this.#working.size > 0) await Promise.all(this.#working)
    this.#ending = true
    this.#check(true)
    this.#timer?.cancel()
    await this.#storing
    this.#options.digest?.close()
    this.#options.sink.hurry(this.#options.stopTimeout ?? 5000)
    await this.#options.sink.close()
    await Promise.all(this.#inputs.map(({ held }) => held.close()))
    this.#cutShort?.cancel()
    await this.#store(true)
    await this.#keeping
    await this.#keep()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    if (this.#needsRestart && this.#doubt !== undefined) throw new LogInDoubt(this.#doubt)
  }

  /** Reports what the sources lost or held back. @param last whether this is the last check */
  #check(last = false): void {
    for (const input of this.#inputs) {
      input.losses.poll(this.#whenReached(input))
      input.held.poll(last)
    }
  }

  #noting(key: string): (loss: Loss, reached?: Reached) => void {
    return (loss, reached) => this.#options.sink.losses.note({ ...loss, source: key }, reached)
  }

  /**
   * Calls back once, when `inFlight` is reached; without `inFlight`, when all current batches of the source are. From
   * then on the counts are final.
   */
  #whenReached(input: Input, inFlight?: InFlightBatch): Reached {
    return (then) => {
      const reached = (): void => {
        input.counted++
        then()
      }
      if (inFlight === undefined) input.queue.whenReached(reached)
      else inFlight.onReached.push(reached)
    }
  }

  /** Checks the sources now and at intervals. */
  #poll(): void {
    this.#check()
    this.#looking = this.#options.clock.after(pollInterval, () => this.#poll())
  }

  async #follow(input: Input): Promise<void> {
    try {
      for await (const batch of input.source) {
        const inFlight = this.#enter(input, batch)
        if (input.source.losesInOrder) input.losses.poll(this.#whenReached(input))
        await this.#place(input)
        this.#process({ batch, input, inFlight, readAt: this.#timeAs(batch), before: undefined })
      }
    } catch (error) {
      this.stop()
      throw error
    }
  }

  #enter({ queue }: Input, { position }: SourceBatch): InFlightBatch {
    return queue.enter(position, this.#options.clock.now())
  }

  /** Waits until another batch may start. */
  async #place({ pressure }: Input): Promise<void> {
    await this.#options.sink.room(pressure === 'waits' ? undefined : roomTimeout)
    await this.#slots.take()
  }

  /** Sends a batch to the workers. The batch keeps its slot until its result is passed on. */
  #process(job: Job): void {
    const { pool, digest } = this.#options
    const result = pool.process(digest === undefined ? job.batch : { ...job.batch, minute: digest.minute })
    const handedOn = job.input.queue.inOrder(result, (done) => this.#deliver(job, done))
    this.#track(handedOn.finally(() => this.#slots.give()))
  }

  #deliver(job: Job, result: BatchResult): void {
    const { input, inFlight, before } = job
    input.source.giveBack?.(job.batch)
    const origin = { source: input.key, reached: this.#whenReached(input, inFlight) }
    const { bytes, held } = this.#options.digest?.add(result, origin) ?? { bytes: result.output, held: 0 }
    this.accounting.processed(result, before !== undefined, held)
    if (result.recorded !== undefined) this.#options.onRecorded?.(result.recorded)
    for (const deferred of result.deferred) this.#hold(job, deferred)
    const settle = ({ written, dropped, reason }: OfferResult): void => {
      this.accounting.settled(written, dropped, reason)
      if (result.kernelTime !== undefined) this.#observeLag(job, result.kernelTime, written)
      // The next agent may read these records again, from the source or from another log.
      if (dropped > 0 && (input.pressure === 'waits' || reason === 'stopped')) inFlight.lost = true
      input.queue.settle(inFlight)
      this.#release(input)
      if (input.commit !== undefined && input.queue.reached !== undefined) this.#scheduleStore()
      this.#options.pool.recycle(result.output)
    }
    const lines = result.written + result.undecodable - held
    this.#options.sink.offer({ bytes, lines, lossy: input.pressure === 'loses', from: origin, settle })
  }

  /** Lets the kernel free the memory of records that are in the log or in a stored count. */
  #release({ queue, losses, written, counted }: Input): void {
    if (written === undefined || queue.reached === undefined) return
    if (counted > 0 && this.#options.keep !== undefined) void this.#keep()
    else written(queue.reached, losses.mark)
  }

  /**
   * Stores the counts of sources without `commit`, and counts that do not belong to a source. The next write stores
   * counts that arrive during a write.
   */
  #keep(): Promise<void> {
    const { keep } = this.#options
    if (keep === undefined) return Promise.resolve()
    this.#keeping ??= this.#keepOnce(keep).finally(() => {
      this.#keeping = undefined
      if (this.#inputs.some(({ written, counted }) => written !== undefined && counted > 0)) void this.#keep()
    })
    return this.#keeping
  }

  async #keepOnce(keep: NonNullable<PipelineOptions['keep']>): Promise<void> {
    const { sink } = this.#options
    const parts: Record<string, Part> = { '': { counts: sink.losses.unsaidOf('') } }
    const stored = this.#inputs.flatMap((input) => {
      const { source, key, queue, losses, written, commit } = input
      if (commit !== undefined) return []
      const [position, mark] = [queue.reached, losses.mark]
      const { name = key, place } = source.place?.(position, mark) ?? {}
      parts[name] = { ...(place !== undefined && { place }), counts: this.#unsaidOf(key) }
      input.counted = 0
      return [() => written?.(position, mark)]
    })
    await keep(parts)
    for (const release of stored) release()
  }

  #unsaidOf(key: string): Statement[] {
    const { sink, digest } = this.#options
    return [...sink.losses.unsaidOf(key), ...(digest?.unsaidOf(key) ?? [])]
  }

  /** Stores counts with the ids of the lines that will report them, before these lines are written. */
  async #beforeLines(statements: readonly Statement[]): Promise<void> {
    const keys = new Set(this.#inputs.flatMap(({ key, commit }) => (commit === undefined ? [] : key)))
    if (statements.some(({ source }) => keys.has(source))) await this.#store(true)
    if (statements.every(({ source }) => keys.has(source))) return
    await this.#keeping
    await this.#keep()
  }

  /** Removes a reported count from the store. */
  #afterLine({ source }: Statement): void {
    const isCommitted = this.#inputs.some(({ key, commit }) => key === source && commit !== undefined)
    if (!isCommitted) void this.#keep()
    else {
      this.#said = true
      this.#scheduleStore()
    }
  }

  /**
   * Adds the lag of the batch's oldest record for all lines of the batch. For a later line, this is too large by at
   * most the time that the batch spans. A lag for each event would cost too much.
   */
  #observeLag({ readAt, inFlight }: Job, kernelTime: number, lines: number): void {
    const sinceRead = this.#options.clock.now() - inFlight.since
    if (lines > 0) this.accounting.lag.add((Math.max(0, readAt - kernelTime) + sinceRead) / 1000, lines)
  }

  /**
   * The current time by the clock that stamps records of this format: BPF programs count from boot, and the audit
   * system uses the wall clock.
   */
  #timeAs({ format }: SourceBatch): number {
    const { clock, feed, sinceBoot: uptime = sinceBoot } = this.#options
    return format === 'record' ? feed.bootTime * 1_000 + uptime() : clock.wall()
  }

  #hold(job: Job, deferred: Deferred): void {
    const { format, readAt } = job.batch
    job.inFlight.open++
    this.deferral.hold({ owner: job, format, deferred, readAt, before: job.before })
  }

  #retry({ owner, format, bytes, readAt, before, final, last }: Retry<Job>): void {
    const { source, seq } = owner.batch
    if (!last) owner.inFlight.open++
    const batch: SourceBatch = {
      source,
      seq,
      format,
      bytes,
      final,
      ...(readAt !== undefined && { readAt }),
    }
    this.#track(this.#place(owner.input).then(() => this.#process({ ...owner, batch, before })))
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#working.delete(tracked))
    this.#working.add(tracked)
  }

  /** Stores the reached positions soon, within the configured interval. */
  #scheduleStore(): void {
    if (this.#timer !== undefined || this.#ending) return
    const { clock, commitEvery = 250, doubtTimeout = 10_000 } = this.#options
    const every = this.#doubt === undefined ? commitEvery : doubtTimeout
    this.#timer = clock.after(Math.max(0, this.#storedAt + every - clock.now()), () => {
      void this.#store().then((again) => {
        this.#timer = undefined
        this.#storedAt = clock.now()
        if (again) this.#scheduleStore()
      })
    })
  }

  /** Stores the reached positions, after any store in progress. @returns whether another store is due */
  #store(always = false): Promise<boolean> {
    const store = this.#storing.then(() => this.#storeOnce(always))
    this.#storing = store
    return store
  }

  /** @param always whether to store counts even if no position has changed */
  async #storeOnce(always: boolean): Promise<boolean> {
    const reached = this.#inputs.flatMap(({ queue, key, commit, pressure }) => {
      const counts = this.#unsaidOf(key)
      const isDue = queue.reached !== undefined || this.#said || (always && counts.length > 0)
      return commit && isDue ? [{ queue, commit, pressure, position: queue.place, counts }] : []
    })
    this.#said = false
    if (reached.length === 0) return false
    try {
      await this.#options.sink.sync()
      for (const { queue, commit, pressure, position, counts } of reached) {
        // Keep the stored position, so that the next pipeline reads the records after it again.
        if (this.#doubt !== undefined && pressure === 'waits') continue
        await commit(position, counts)
        if (position !== undefined) queue.stored(position)
      }
      if (this.#doubt !== undefined) this.#restart()
    } catch (error) {
      // The stored position does not change, so a restart reads some records again.
      if (error instanceof NotStored && reached.some(({ pressure }) => pressure === 'waits')) this.#doubt ??= error
      this.#options.onError?.(error)
    }
    return this.#inputs.some(({ queue, commit }) => commit !== undefined && queue.reached !== undefined)
  }

  /** Restarts the pipeline, which writes the lines in doubt again. Called when a sync has succeeded after a failure. */
  #restart(): void {
    if (this.#stopping) return
    this.#needsRestart = true
    this.stop()
  }
}
