import { type Clock, sinceBoot } from '../../base/clock.ts'
import type { BatchResult, Deferred, SourceBatch } from '../batch/batch.ts'
import type { Digest } from '../digest/digest.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import type { Recorded } from '../model/recorded.ts'
import type { DecodePool } from '../pool/decode-pool.ts'
import type { OfferResult } from '../sink/line-queue.ts'
import type { LossCount } from '../sink/loss-log.ts'
import type { Loss } from '../sink/loss-tally.ts'
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
  /** Stores a position, after all lines up to it are on the disk. */
  commit?: (position: unknown) => Promise<void>
  /** Called when all up to a position is in the log, though not yet on the disk, or accounted for. */
  written?: (position: unknown) => void
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
  queue: OrderedQueue
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
  #storing: Promise<void> | undefined
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
    const note = (loss: Loss): void => sink.losses.note(loss)
    this.#inputs = sources.map((source) => ({
      ...source,
      queue: new OrderedQueue(),
      losses: new SourceLosses(source.source, note, wall),
      held: new HeldLines({ source: source.source, clock, feed, sink, ...(onError !== undefined && { onError }) }),
    }))
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
    await this.#store()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    if (this.#beginAnew && this.#doubt !== undefined) throw new LogInDoubt(this.#doubt)
  }

  /** Has said what the sources have lost and hold back. @param last nobody looks again */
  #lookAt(last = false): void {
    for (const { losses, held } of this.#inputs) {
      losses.look()
      held.look(last)
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
        await this.#place(input)
        this.#process({
          ...{ batch, input, inFlight: this.#enter(input, batch) },
          ...{ readAt: this.#timeAs(batch), before: undefined },
        })
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
    const { bytes, held } = this.#options.digest?.add(result) ?? { bytes: result.output, held: 0 }
    this.accounting.processed(result, before !== undefined, held)
    if (result.recorded !== undefined) this.#options.onRecorded?.(result.recorded)
    for (const deferred of result.deferred) this.#hold(job, deferred)
    const settle = ({ written, dropped, reason }: OfferResult): void => {
      this.accounting.settled(written, dropped, reason)
      if (result.kernelTime !== undefined) this.#observeLag(job, result.kernelTime, written)
      // What an agent has dropped at its end the next one may find: in the source, or in a log that has the same records.
      if (dropped > 0 && (input.pressure === 'waits' || reason === 'stopped')) inFlight.lost = true
      input.queue.settle(inFlight)
      input.written?.(input.queue.reached)
      if (input.commit !== undefined && input.queue.reached !== undefined) this.#scheduleStore()
      this.#options.pool.recycle(result.output)
    }
    const lines = result.written + result.undecodable - held
    this.#options.sink.offer({ bytes, lines, lossy: input.pressure === 'loses', settle })
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
      this.#storing = this.#store().then((again) => {
        this.#timer = undefined
        this.#storedAt = clock.now()
        if (again) this.#scheduleStore()
      })
    })
  }

  /** Stores the positions that are reached. @returns whether there is something to store again. */
  async #store(): Promise<boolean> {
    const reached = this.#inputs.flatMap(({ queue, commit, pressure }) =>
      commit && queue.reached !== undefined ? [{ queue, commit, pressure, position: queue.reached }] : [],
    )
    if (reached.length === 0) return false
    try {
      await this.#options.sink.sync()
      for (const { queue, commit, pressure, position } of reached) {
        // What such a source has is read again, by whoever begins at the old position.
        if (this.#doubt !== undefined && pressure === 'waits') continue
        await commit(position)
        queue.stored(position)
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
