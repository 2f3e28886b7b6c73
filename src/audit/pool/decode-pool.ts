import { availableParallelism } from 'node:os'
import { Piscina, queueOptionsSymbol } from 'piscina'
import { Backoff } from '../../base/backoff.ts'
import { mebibyte } from '../../base/bytes.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import { BufferStore, sharedMemory } from '../batch/buffer-store.ts'
import { undecodedCounts } from '../batch/kind-table.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { undecodedLines } from '../sink/own-lines.ts'
import { machineErrorOf } from './machine-error.ts'
import { Attempt, Placement } from './placement.ts'
import { ProcessLog } from './process-log.ts'
import { mergeResults, splitBatch } from './split-batch.ts'
import { registeringTypeScript } from './thread-options.ts'
import type { WorkerReply, WorkerSettings, WorkerTask } from './worker-task.ts'

export interface DecodePoolOptions {
  feed: SnapshotFeed
  settings: WorkerSettings
  clock: Clock
  /** Where processes were found. Whoever learns of one from elsewhere adds it, at any time. Default: the workers' own finds. */
  seenProcesses?: ProcessLog
  /** Default: two, or as many as leave a core to the rest of the pipeline. */
  threads?: number
  /** Milliseconds of CPU that a worker may take for a batch before its thread is ended. Default 30,000. */
  timeLimit?: number
  /** Milliseconds more of time for the first batch of a thread, which has to start, and for one that gets no CPU. Default 120,000. */
  startLimit?: number
  /** Megabytes of heap after which a worker is ended. Its buffers are outside of the heap. Default 256. */
  heapLimit?: number
  /** The worker's module; a test gives one that fails. */
  entry?: URL
  /** Called for every attempt that failed. */
  onFailure?: (failure: WorkerFailure) => void
  /** Called with the code of an error of the machine, for which decoding waits, and with undefined when it goes on. */
  onTrouble?: (machine: string | undefined) => void
  /** Milliseconds for which a batch waits for the machine; then it is decoded without what /proc does not show. Default 10,000. */
  machinePatience?: number
}

export interface WorkerFailure {
  source: string
  seq: number
  /** threw: the decoder has a bug; crashed: its thread ended; stuck: it took too long. */
  kind: 'threw' | 'crashed' | 'stuck'
  problem: string
  /** The records are written as they are; else they are tried again, at last each alone. */
  givenUp: boolean
}

type Batch = WorkerTask['batch']
type Failed = Extract<WorkerReply, { ok: false }> & { kind: WorkerFailure['kind'] }
type Tried = Exclude<WorkerReply, { ok: false }> | Failed

/** What may still be spent on a batch with which something is wrong: others of its source wait for it. */
interface Budget {
  /** Failures of its pieces. */
  failures: number
  /** When nothing of it is tried any more. */
  end: number
  /** When the machine is not waited for any more. */
  patient: number
}

const tasksPerWorker = 2
/** A piece that fails is cut into so many: one bad record of 4,000 stands alone after three failures. */
const pieces = 16
/** Enough for some fifteen bad records in a batch. */
const mostFailures = 48
/** Of the machine, in milliseconds between two tries. */
const machineDelays = { first: 50, longest: 2_000 }

/** Worker threads that turn batches into lines. A batch always has a result, whatever happens to the thread that has it. */
export class DecodePool {
  readonly seenProcesses: ProcessLog
  readonly failures = { threw: 0, crashed: 0, stuck: 0 }
  /** Tries that the machine refused, by the code of its error. They are no failures of the decoder. */
  readonly refused: Record<string, number> = {}
  readonly threads: number
  /** What workers have done, and the seconds that they were at it, together. */
  readonly done = { batches: 0, records: 0, bytes: 0, seconds: 0, refusedLooks: 0 }
  /** Records, and pieces of batches with too many bad ones, that no worker could finish. */
  givenUp = 0
  /** Batches that are worked on. */
  depth = 0
  #feed: SnapshotFeed
  #kinds: WorkerSettings['kinds']
  #clock: Clock
  #piscina: Piscina<WorkerTask, WorkerReply>
  #placement: Placement
  /** Bytes of batches on their way to a worker, of sources that have no shared memory of their own. */
  #carriers: BufferStore<SharedArrayBuffer>
  /**
   * Memory for the output of the next batches. Shared: V8 counts memory that comes from another thread as newly made, and collects garbage
   * for it every few batches.
   */
  #outputs: BufferStore<SharedArrayBuffer>
  #onFailure: (failure: WorkerFailure) => void
  #onTrouble: (machine: string | undefined) => void
  #trouble: string | undefined
  #timeLimit: number
  #startLimit: number
  #machinePatience: number

  constructor(options: DecodePoolOptions) {
    const {
      feed,
      settings,
      clock,
      timeLimit = 30_000,
      startLimit = 120_000,
      heapLimit = 256,
      onFailure = () => undefined,
      onTrouble = () => undefined,
      machinePatience = 10_000,
    } = options
    this.threads = options.threads ?? Math.max(1, Math.min(2, availableParallelism() - 1))
    this.#carriers = new BufferStore(sharedMemory, this.capacity, 4 * mebibyte)
    this.#outputs = new BufferStore(sharedMemory, 2 * this.capacity, 16 * mebibyte)
    this.seenProcesses = options.seenProcesses ?? new ProcessLog()
    this.#feed = feed
    this.#kinds = settings.kinds
    this.#clock = clock
    this.#onFailure = onFailure
    this.#onTrouble = onTrouble
    this.#timeLimit = timeLimit
    this.#startLimit = startLimit
    this.#machinePatience = machinePatience
    this.#placement = new Placement({
      feed,
      seenProcesses: this.seenProcesses,
      clock,
      timeLimit,
      startLimit,
      tasksPerWorker,
    })
    const entry =
      options.entry ?? new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
    this.#piscina = new Piscina<WorkerTask, WorkerReply>({
      ...registeringTypeScript(),
      filename: entry.href,
      workerData: settings,
      minThreads: this.threads,
      maxThreads: this.threads,
      concurrentTasksPerWorker: tasksPerWorker,
      // Idle workers keep their caches, and the next event does not wait for a thread to start.
      idleTimeout: Number.POSITIVE_INFINITY,
      maxQueue: 64,
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: heapLimit },
      loadBalancer: (task, workers) => this.#placement.choose(task[queueOptionsSymbol], workers),
    })
    // A thread ended that had nothing to do. Whoever waits for one that does not come would wait for ever.
    this.#piscina.on('error', () => {
      if (this.#piscina.threads.length === 0) this.#placement.abortWaiting()
    })
  }

  /** Batches that may be in flight so that no worker waits for its next one. */
  get capacity(): number {
    return this.threads * tasksPerWorker + 1
  }

  /**
   * Starts the workers.
   * @throws an Error when they cannot start at all.
   */
  async ready(): Promise<void> {
    const nothing = (): Omit<SourceBatch, 'position'> => ({
      source: '',
      seq: 0,
      format: 'auditlog',
      bytes: new Uint8Array(0),
    })
    const replies = await Promise.all(Array.from({ length: this.threads }, () => this.#try(nothing(), true)))
    for (const reply of replies) if (!reply.ok) throw new Error(`the decoding threads do not start: ${reply.problem}`)
  }

  /**
   * Processes a batch. Its bytes are left as they are and not used any more when the result is there. A batch whose worker
   * fails is given to another one that does nothing else meanwhile; when that fails too, it is cut until the record that is at
   * fault stands alone, and comes out undecoded. Errors of the machine are waited out. Never rejects. Whoever is done with the output gives its memory back with `recycle`.
   */
  async process({ position: _, ...batch }: SourceBatch): Promise<BatchResult> {
    this.depth++
    try {
      const now = this.#clock.now()
      const budget = { failures: mostFailures, end: Number.POSITIVE_INFINITY, patient: now + this.#machinePatience }
      const first = await this.#attempt(batch, false, budget)
      if (first.ok) return first.result
      this.#count(batch, first, false)
      const second = await this.#attempt(batch, true, budget)
      if (second.ok) return second.result
      // A thread that is begun anew has to start, which on a slow machine takes most of this.
      budget.end = this.#clock.now() + this.#startLimit + 6 * this.#timeLimit
      return await this.#inPieces(batch, second, budget)
    } finally {
      this.depth--
    }
  }

  /** Takes back the memory of a result's output. */
  recycle({ buffer }: Uint8Array): void {
    if (buffer instanceof SharedArrayBuffer) this.#outputs.give(buffer)
  }

  /** Ends the threads. Nothing may be in flight any more. */
  async close(): Promise<void> {
    await this.#piscina.destroy()
  }

  /** What has failed is done piece by piece. */
  async #inPieces(batch: Batch, failed: Failed, budget: Budget): Promise<BatchResult> {
    const parts = this.#isSpent(budget) ? [] : splitBatch(batch, pieces)
    this.#count(batch, failed, parts.length < 2)
    if (parts.length < 2) return this.#undecoded(batch)
    const results: BatchResult[] = []
    for (const part of parts) {
      const reply = this.#isSpent(budget) ? failed : await this.#attempt(part, true, budget)
      if (!reply.ok) budget.failures--
      results.push(reply.ok ? reply.result : await this.#inPieces(part, reply, budget))
    }
    const merged = mergeResults(batch.seq, results)
    for (const { output } of results) this.recycle(output)
    return merged
  }

  #addDone({ bytes }: Batch, { result, seconds, refusedLooks }: Extract<WorkerReply, { ok: true }>): void {
    // Those with which threads are started.
    if (bytes.length === 0) return
    const { done } = this
    done.batches++
    done.records += result.read
    done.bytes += bytes.length
    done.seconds += seconds
    done.refusedLooks += refusedLooks
  }

  #isSpent({ failures, end }: Budget): boolean {
    return failures <= 0 || this.#clock.now() >= end
  }

  /** One attempt, and as many more as the machine refuses, while it is waited for. */
  async #attempt(batch: Batch, alone: boolean, { patient }: Budget): Promise<Tried> {
    const backoff = new Backoff(machineDelays)
    for (;;) {
      const late = this.#clock.now() >= patient
      const reply = await this.#try(batch, alone, late)
      const machine = reply.ok ? undefined : reply.machine
      this.#note(machine)
      if (machine === undefined || late) return reply
      await sleep(this.#clock, backoff.next())
    }
  }

  #note(machine: string | undefined): void {
    if (machine !== undefined) this.refused[machine] = (this.refused[machine] ?? 0) + 1
    if (machine !== this.#trouble) this.#onTrouble(machine)
    this.#trouble = machine
  }

  async #try(batch: Batch, alone: boolean, unreadableAsGone = false): Promise<Tried> {
    const bytes = this.#shared(batch.bytes)
    const spare = this.#outputs.any()
    const task: WorkerTask = { batch: { ...batch, bytes, ...(spare !== undefined && { spare }) }, unreadableAsGone }
    const attempt = new Attempt(task, alone)
    this.#placement.wait(attempt)
    let replied = false
    let thread: number | undefined
    try {
      const run = Object.assign(task, { [queueOptionsSymbol]: attempt })
      const { signal } = attempt.abort
      const reply = taken(await this.#piscina.run(run, { signal }))
      replied = true
      if (!reply.ok) return { ...reply, kind: 'threw' }
      thread = reply.thread
      // A worker that did not answer may still read it.
      if (bytes !== batch.bytes && bytes.buffer instanceof SharedArrayBuffer) this.#carriers.give(bytes.buffer)
      this.seenProcesses.add(reply.seenProcesses)
      this.#addDone(batch, reply)
      return reply
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      const machine = machineErrorOf(error)
      const kind = attempt.late ? 'stuck' : 'crashed'
      return { ok: false, problem, kind, ...(machine !== undefined && { machine }) }
    } finally {
      this.#placement.settle(attempt, replied, thread)
    }
  }

  /** The same bytes where workers see them too: whatever happens to one of them, they are there for the next. */
  #shared(bytes: Uint8Array): Uint8Array {
    if (bytes.buffer instanceof SharedArrayBuffer) return bytes
    const copy = new Uint8Array(this.#carriers.atLeast(bytes.length), 0, bytes.length)
    copy.set(bytes)
    return copy
  }

  #count(batch: Batch, { kind, problem }: Failed, givenUp: boolean): void {
    this.failures[kind]++
    if (givenUp) this.givenUp++
    this.#onFailure({ source: batch.source, seq: batch.seq, kind, problem, givenUp })
  }

  #undecoded(batch: Batch): BatchResult {
    const seconds = batch.readAt ?? Math.floor(this.#clock.wall() / 1000)
    const { bytes, lines } = undecodedLines(batch, this.#feed, seconds)
    const kinds = this.#kinds
    return {
      seq: batch.seq,
      output: bytes,
      read: lines,
      written: 0,
      filtered: 0,
      undecodable: lines,
      undecodableAt: Array.from({ length: lines }, (_, index) => index),
      deferred: [],
      counts: [],
      unresolved: {},
      untrusted: 0,
      ...(kinds !== undefined &&
        lines > 0 && { kinds: [{ start: 0, counts: undecodedCounts(lines, kinds === 'lines') }] }),
    }
  }
}

/**
 * What a worker has replied, in an object of its own. Piscina's tables of tasks, which are made anew with every few of them, have V8 keep
 * tasks and replies that are done until its next full collection; of an emptied reply that is little, and those are needed seldom.
 */
function taken(reply: WorkerReply): WorkerReply {
  const own = { ...reply }
  Object.assign(reply, { result: undefined })
  return own
}
