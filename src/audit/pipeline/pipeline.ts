import { type Clock, sinceBoot } from '../../base/clock.ts'
import type { BatchResult, Deferred, SourceBatch } from '../batch/batch.ts'
import type { Digest } from '../digest/digest.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import type { Recorded } from '../model/recorded.ts'
import type { DecodePool } from '../pool/decode-pool.ts'
import type { OfferResult } from '../sink/line-queue.ts'
import type { LossCount, Reached } from '../sink/loss-log.ts'
import type { Loss } from '../sink/loss-tally.ts'
import type { Statement } from '../sink/own-lines.ts'
import { NotStored, type Sink } from '../sink/sink.ts'
import type { AuditSource } from '../source/source.ts'
import { SourceLosses } from '../source/source-losses.ts'
import { Accounting } from './accounting.ts'
import { Deferral, type DeferralOptions, type Retry } from './deferral.ts'
import { HeldLines } from './held-lines.ts'
import { NewsReader } from './news.ts'
import { type InFlightBatch, OrderedQueue } from './ordered-queue.ts'
import { Slots } from './slots.ts'

export interface PipelineSource {
  source: AuditSource
  /**
   * waits: what is not asked for stays where it is (a file, the ring of the BPF programs, which counts what finds it full), so a full
   * queue stops the reading and nothing is dropped.
   * loses: what is not read goes away (a socket), so reading goes on after a while, and the sink drops and counts what a disk does not take.
   */
  pressure: 'waits' | 'loses'
  /** Stores a position, undefined for the one that is stored, and the counts up to it, after all lines up to it are on the disk. */
  commit?: (position: unknown, counts: readonly Statement[]) => Promise<void>
  /** Called when all up to a position is in the log, though not yet on the disk, or in a count that is said or stored. */
  written?: (position: unknown, lossMark: unknown) => void
}

/** What is stored of a source beside the one with `commit`: its counts, and where it goes on. */
export interface Part {
  place?: unknown
  counts: readonly Statement[]
}

/** What the pipeline needs of its workers. */
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
  /** Milliseconds since boot. A test gives its own. */
  sinceBoot?: () => number
  /** Counts all lines by kind, and may hold some of them back. The workers have to give the kinds. */
  digest?: Digest
  /** Of an earlier pipeline, which this one follows. Default: one of its own. */
  accounting?: Accounting
  /** Stores parts by the name of their source; the others stay as they are. It outlives the process, not a power cut, as the kernel's rings do. */
  keep?: (parts: Readonly<Record<string, Part>>) => Promise<void>
  deferral?: Pick<DeferralOptions<Job>, 'patience' | 'bound'>
  /** Milliseconds between two stored positions: each costs a sync of the log, and a crash doubles what came since the last one. Default 250. */
  commitEvery?: number
  /** Milliseconds that a disk gets which did not store the log, before it is asked again. Default 10,000. */
  doubtPatience?: number
  /** Milliseconds that a stop waits for a source, and for a disk that takes nothing. Default 5,000. */
  stopPatience?: number
  /** Takes what workloads did whose policies model behaviour. */
  onRecorded?: (recorded: readonly Recorded[]) => void
  /** Called with an error that does not end the pipeline. */
  onError?: (error: unknown) => void
}

/**
 * What waits in one place. `batches`: all that were read and of which something is not in the log; they have the others in them.
 * `workers`: batches that are decoded. `deferred`: results of which records wait for their container. `log`: lines that wait for the disk.
 */
export interface Queue {
  queue: 'batches' | 'workers' | 'deferred' | 'log'
  depth: number
  bytes?: number
  /** Seconds that the oldest has waited. */
  age?: number
}

/** The end of a pipeline of which some lines may be lost on the disk: begun anew, it reads from the stored position on. */
export class LogInDoubt extends Error {
  constructor(cause: NotStored) {
    super('lines that were written may be lost on the disk; reading again from the stored position writes them again', {
      cause,
    })
    this.name = 'LogInDoubt'
  }
}

/** A batch with what belongs to it on this side. */
interface Job {
  batch: SourceBatch
  input: Input
  inFlight: InFlightBatch
  /** When it was read, by the clock that gave the kernel's times in it. */
  readAt: number
  /** Set when its records have waited before. */
  before: Retry<Job>['before'] | undefined
}

/** A source with its batches in order. */
interface Input extends PipelineSource {
  /** Names it in counts: other than its name, no other source has it. */
  key: string
  queue: OrderedQueue
  /** Counts that have become certain since its part was stored. */
  counted: number
  losses: SourceLosses
  held: HeldLines
}

/** Milliseconds that a source which loses waits for the log: its ring and its socket hold a burst that the disk does not take at once. */
const roomPatience = 2_000

/** Milliseconds between two looks at what sources have lost. */
const lookEvery = 1_000

/**
 * Sources, worker threads, the waiting room for events without a container, and the log, put together. Each source keeps
 * its order; events that had to wait come later than their neighbours.
 */
export class Pipeline {
  readonly accounting: Accounting
  readonly deferral: Deferral<Job>
  #options: PipelineOptions
  #inputs: Input[]
  #slots: Slots
  #working = new Set<Promise<void>>()
  #storing: Promise<unknown> = Promise.resolve()
  /** A line has said what is still stored as not said. */
  #said = false
  #keeping: Promise<void> | undefined
  #timer: { cancel(): void } | undefined
  #storedAt = Number.NEGATIVE_INFINITY
  /** Set once the disk did not store the log. From then on no position of a source that waits is stored. */
  #doubt: NotStored | undefined
  #beginAnew = false
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
    const reader = new NewsReader(feed, pool.seenProcesses)
    const news = () => reader.take()
    this.deferral = new Deferral({ ...deferral, clock, news, retry: (retry) => this.#retry(retry) })
  }

  /** Depth of each stage and what it dropped, for metrics. */
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

  /** Containers of which lines are held back now. */
  get holding(): number {
    const inKernel = new Set(this.#inputs.flatMap(({ held }) => [...held.holding]))
    return (this.#options.digest?.holding ?? 0) + inKernel.size
  }

  /** What waits, and for how long. */
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

  /** What was lost, by where and why, in all stages. */
  get losses(): readonly LossCount[] {
    const { sink, digest } = this.#options
    return [...sink.losses.counts, ...(digest?.losses ?? [])]
  }

  /**
   * Runs until all sources have ended and what they gave is on the disk or accounted for.
   * @throws what a source throws that is broken for good, the others are brought to their end before; and LogInDoubt.
   */
  run(): Promise<void> {
    this.#ended ??= this.#run()
    return this.#ended
  }

  /**
   * Stops the sources; `run` then comes to its end. What a source has not done within `stopPatience`, and a disk that takes nothing for
   * so long, is not waited for: a file keeps it for the next start.
   */
  stop(): void {
    const { clock, sink, stopPatience = 5000 } = this.#options
    this.#stopping = true
    for (const { source } of this.#inputs) source.stop()
    this.#cutShort ??= clock.after(stopPatience, () => {
      for (const { source } of this.#inputs) void source.close()
    })
    sink.hurry(stopPatience)
  }

  async #run(): Promise<void> {
    this.#look()
    const ends = await Promise.allSettled(this.#inputs.map((input) => this.#follow(input)))
    this.#looking?.cancel()
    this.deferral.close()
    while (this.#working.size > 0) await Promise.all(this.#working)
    this.#ending = true
    this.#lookAt(true)
    this.#timer?.cancel()
    await this.#storing
    this.#options.digest?.close()
    this.#options.sink.hurry(this.#options.stopPatience ?? 5000)
    await this.#options.sink.close()
    await Promise.all(this.#inputs.map(({ held }) => held.close()))
    this.#cutShort?.cancel()
    await this.#store(true)
    await this.#keeping
    await this.#keep()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    if (this.#beginAnew && this.#doubt !== undefined) throw new LogInDoubt(this.#doubt)
  }

  /** Has said what the sources have lost and hold back. @param last nobody looks again */
  #lookAt(last = false): void {
    for (const input of this.#inputs) {
      input.losses.look(this.#whenReached(input))
      input.held.look(last)
    }
  }

  #noting(key: string): (loss: Loss, reached?: Reached) => void {
    return (loss, reached) => this.#options.sink.losses.note({ ...loss, source: key }, reached)
  }

  /** What a batch in flight has, or those that came before, is counted once. */
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

  /** Now and from time to time. */
  #look(): void {
    this.#lookAt()
    this.#looking = this.#options.clock.after(lookEvery, () => this.#look())
  }

  async #follow(input: Input): Promise<void> {
    try {
      for await (const batch of input.source) {
        const inFlight = this.#enter(input, batch)
        if (input.source.losesInOrder) input.losses.look(this.#whenReached(input))
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

  /** Waits until another batch may be on its way. */
  async #place({ pressure }: Input): Promise<void> {
    await this.#options.sink.room(pressure === 'waits' ? undefined : roomPatience)
    await this.#slots.take()
  }

  /** Sends a batch to the workers. Its slot is given back when the result has been handed on. */
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
      // What an agent has dropped at its end the next one may find: in the source, or in a log that has the same records.
      if (dropped > 0 && (input.pressure === 'waits' || reason === 'stopped')) inFlight.lost = true
      input.queue.settle(inFlight)
      this.#release(input)
      if (input.commit !== undefined && input.queue.reached !== undefined) this.#scheduleStore()
      this.#options.pool.recycle(result.output)
    }
    const lines = result.written + result.undecodable - held
    this.#options.sink.offer({ bytes, lines, lossy: input.pressure === 'loses', from: origin, settle })
  }

  /** The kernel gets the room of what is in the log, or in a count that is stored. */
  #release({ queue, losses, written, counted }: Input): void {
    if (written === undefined || queue.reached === undefined) return
    if (counted > 0 && this.#options.keep !== undefined) void this.#keep()
    else written(queue.reached, losses.mark)
  }

  /** Stores the counts of no source, and of those without `commit`. What comes during a write goes with the next one. */
  #keep(): Promise<void> {
    this.#keeping ??= this.#keepOnce().finally(() => {
      this.#keeping = undefined
      if (this.#inputs.some(({ written, counted }) => written !== undefined && counted > 0)) void this.#keep()
    })
    return this.#keeping
  }

  async #keepOnce(): Promise<void> {
    const { keep, sink } = this.#options
    if (keep === undefined) return
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

  /** Stores counts with the ids of the lines that are about to say them. */
  async #beforeLines(statements: readonly Statement[]): Promise<void> {
    const keys = new Set(this.#inputs.flatMap(({ key, commit }) => (commit === undefined ? [] : key)))
    if (statements.some(({ source }) => keys.has(source))) await this.#store(true)
    if (statements.every(({ source }) => keys.has(source))) return
    await this.#keeping
    await this.#keep()
  }

  /** What is said need not be stored. */
  #afterLine({ source }: Statement): void {
    const isCommitted = this.#inputs.some(({ key, commit }) => key === source && commit !== undefined)
    if (!isCommitted) void this.#keep()
    else {
      this.#said = true
      this.#scheduleStore()
    }
  }

  /** Of all lines of a batch the lag of its oldest record: at most what a batch spans too much, and nothing to do for each event. */
  #observeLag({ readAt, inFlight }: Job, kernelTime: number, lines: number): void {
    const sinceRead = this.#options.clock.now() - inFlight.since
    if (lines > 0) this.accounting.lag.add((Math.max(0, readAt - kernelTime) + sinceRead) / 1000, lines)
  }

  /** Now, as the kernel stamps records of this format: BPF programs count from the boot, the audit system has the time of day. */
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

  /** Stores soon what is reached now, but not more often than asked for. */
  #scheduleStore(): void {
    if (this.#timer !== undefined || this.#ending) return
    const { clock, commitEvery = 250, doubtPatience = 10_000 } = this.#options
    const every = this.#doubt === undefined ? commitEvery : doubtPatience
    this.#timer = clock.after(Math.max(0, this.#storedAt + every - clock.now()), () => {
      void this.#store().then((again) => {
        this.#timer = undefined
        this.#storedAt = clock.now()
        if (again) this.#scheduleStore()
      })
    })
  }

  /** Stores the positions that are reached, one store after the other. @returns whether there is something to store again. */
  #store(always = false): Promise<boolean> {
    const store = this.#storing.then(() => this.#storeOnce(always))
    this.#storing = store
    return store
  }

  /** @param always also where no position has moved, if there are counts */
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
        // What such a source has is read again, by whoever begins at the old position.
        if (this.#doubt !== undefined && pressure === 'waits') continue
        await commit(position, counts)
        if (position !== undefined) queue.stored(position)
      }
      if (this.#doubt !== undefined) this.#endToBeginAnew()
    } catch (error) {
      // The old position stays: a restart reads some lines again.
      if (error instanceof NotStored && reached.some(({ pressure }) => pressure === 'waits')) this.#doubt ??= error
      this.#options.onError?.(error)
    }
    return this.#inputs.some(({ queue, commit }) => commit !== undefined && queue.reached !== undefined)
  }

  /** The disk stores again, and so it will the lines that are in doubt. */
  #endToBeginAnew(): void {
    if (this.#stopping) return
    this.#beginAnew = true
    this.stop()
  }
}
