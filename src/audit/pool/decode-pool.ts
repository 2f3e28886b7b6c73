import { availableParallelism } from 'node:os'
import { Piscina, queueOptionsSymbol } from 'piscina'
import { Backoff } from '../../base/backoff.ts'
import { mebibyte } from '../../base/bytes.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import { BufferStore, sharedMemory } from '../batch/buffer-store.ts'
import { undecodedCounts } from '../batch/kind-table.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { undecodedLines } from '../sink/agent-events.ts'
import { machineErrorOf } from './machine-error.ts'
import { Attempt, Placement } from './placement.ts'
import { ProcessLog } from './process-log.ts'
import { mergeResults, splitBatch } from './split-batch.ts'
import { threadOptions } from './thread-options.ts'
import type { WorkerReply, WorkerSettings, WorkerTask } from './worker-task.ts'

export interface DecodePoolOptions {
  feed: SnapshotFeed
  settings: WorkerSettings
  clock: Clock
  /**
   * The places where processes were found. Other code may add entries at any time. By default, only workers add
   * entries.
   */
  seenProcesses?: ProcessLog
  /** Number of threads. Default: two, or as many as leave a core for the rest of the pipeline. */
  threads?: number
  /** CPU milliseconds that a worker may use for a batch before its thread is ended. Default 30,000. */
  timeLimit?: number
  /**
   * Additional milliseconds for the first batch of a thread, which includes the thread's start, and for a thread that
   * does not get CPU time. Default 120,000.
   */
  startLimit?: number
  /**
   * Maximum megabytes of a worker's heap; beyond it, the worker ends. Buffers are not part of the heap. Default 256.
   */
  heapLimit?: number
  /** The worker's module; tests replace it. */
  entry?: URL
  /** Called for each failed attempt. */
  onFailure?: (failure: WorkerFailure) => void
  /** Called with the code of a machine error that pauses decoding, and with undefined when it continues. */
  onTrouble?: (machine: string | undefined) => void
  /**
   * Milliseconds that a batch waits while machine errors occur. Then it is decoded without the facts that /proc cannot
   * show. Default 10,000.
   */
  machineTimeout?: number
}

export interface WorkerFailure {
  source: string
  seq: number
  /** `threw`: the decoder has a bug; `crashed`: its thread ended; `stuck`: it took too long. */
  kind: 'threw' | 'crashed' | 'stuck'
  problem: string
  /** Whether the records are now written undecoded. Otherwise they are tried again, in smaller and smaller pieces. */
  givenUp: boolean
}

type Batch = WorkerTask['batch']
type Failed = Extract<WorkerReply, { ok: false }> & { kind: WorkerFailure['kind'] }
type Tried = Exclude<WorkerReply, { ok: false }> | Failed

/** The remaining failures and time of a batch. They are limited, because later batches of the source wait for it. */
interface Budget {
  /** Number of failures that the batch's pieces may still have. */
  failures: number
  /** Time after which the batch is not tried again. */
  end: number
  /** Time after which a machine error is not waited for. */
  patient: number
}

const tasksPerWorker = 2
/** Number of pieces into which a failed piece is cut. With 16, a bad record of 4,000 is alone after three failures. */
const pieces = 16
/** Maximum failures of a batch's pieces, enough for about fifteen bad records. */
const maxFailures = 48
/** Milliseconds between two tries after a machine error. */
const machineDelays = { first: 50, max: 2_000 }

/** Worker threads that turn batches into lines. Each batch gets a result, even if its thread fails. */
export class DecodePool {
  readonly seenProcesses: ProcessLog
  readonly failures = { threw: 0, crashed: 0, stuck: 0 }
  /** Number of attempts that failed with a machine error, by error code. The decoder did not cause them. */
  readonly refused: Record<string, number> = {}
  readonly threads: number
  /** Totals of the work of all workers, and of the seconds that it took. */
  readonly done = { batches: 0, records: 0, bytes: 0, seconds: 0, refusedLooks: 0 }
  /** Number of pieces that were written undecoded: bad records, or pieces of a batch with too many bad records. */
  givenUp = 0
  /** Batches in progress. */
  depth = 0
  #feed: SnapshotFeed
  #kinds: WorkerSettings['kinds']
  #clock: Clock
  #piscina: Piscina<WorkerTask, WorkerReply>
  #placement: Placement
  /** Memory for copies of batches on their way to a worker, for sources without shared memory. */
  #carriers: BufferStore<SharedArrayBuffer>
  /**
   * Memory for the output of later batches. It is shared memory: V8 counts other memory from another thread as new, and
   * would collect garbage every few batches.
   */
  #outputs: BufferStore<SharedArrayBuffer>
  #onFailure: (failure: WorkerFailure) => void
  #onTrouble: (machine: string | undefined) => void
  #trouble: string | undefined
  #timeLimit: number
  #startLimit: number
  #machineTimeout: number

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
      machineTimeout = 10_000,
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
    this.#machineTimeout = machineTimeout
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
      ...threadOptions(),
      filename: entry.href,
      workerData: settings,
      minThreads: this.threads,
      maxThreads: this.threads,
      concurrentTasksPerWorker: tasksPerWorker,
      // Idle workers stay, so that they keep their caches, and the next batch need not wait for the start of a thread.
      idleTimeout: Number.POSITIVE_INFINITY,
      maxQueue: 64,
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: heapLimit },
      loadBalancer: (task, workers) => this.#placement.choose(task[queueOptionsSymbol], workers),
    })
    // A thread without a task has ended. If it was the last thread, waiting tasks would wait for ever.
    this.#piscina.on('error', () => {
      if (this.#piscina.threads.length === 0) this.#placement.abortWaiting()
    })
  }

  /** Number of batches in progress that is enough to keep all workers busy. */
  get capacity(): number {
    return this.threads * tasksPerWorker + 1
  }

  /**
   * Starts the workers.
   * @throws an Error if they cannot start
   */
  async ready(): Promise<void> {
    const nothing = (): Omit<SourceBatch, 'position'> => ({
      source: '',
      seq: 0,
      format: 'auditlog',
      bytes: new Uint8Array(0),
    })
    const replies = await Promise.all(Array.from({ length: this.threads }, () => this.#try(nothing(), true)))
    for (const reply of replies) if (!reply.ok) throw new Error(`cannot start the decoding threads: ${reply.problem}`)
  }

  /**
   * Processes a batch, and never rejects. If a worker fails, a worker without other tasks tries again. If this worker
   * also fails, the batch is cut until the bad record is alone, and this record is written undecoded. After a machine
   * error, the pool waits and tries again. Return the output's memory with `recycle`.
   */
  async process({ position: _, ...batch }: SourceBatch): Promise<BatchResult> {
    this.depth++
    try {
      const now = this.#clock.now()
      const budget = { failures: maxFailures, end: Number.POSITIVE_INFINITY, patient: now + this.#machineTimeout }
      const first = await this.#attempt(batch, false, budget)
      if (first.ok) return first.result
      this.#count(batch, first, false)
      const second = await this.#attempt(batch, true, budget)
      if (second.ok) return second.result
      // Includes time for the start of new threads, which is slow on a slow machine.
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

  /** Ends the threads. No batch may be in progress. */
  async close(): Promise<void> {
    await this.#piscina.destroy()
  }

  /** Processes a failed batch in pieces. */
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
    // Skip the empty batches that start threads.
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

  /** Tries a batch. After a machine error, it waits and tries again until the time for waiting is over. */
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
      // Reuse this memory only after a reply: a worker that did not reply may still read it.
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

  /** The bytes in shared memory, so that another worker can read them after a worker has failed. */
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
 * Copies a worker's reply, and empties the reply itself. Piscina recreates its task tables every few tasks, so V8 keeps
 * finished tasks and replies until its next full garbage collection. Empty replies take little memory, so this is rare.
 */
function taken(reply: WorkerReply): WorkerReply {
  const own = { ...reply }
  Object.assign(reply, { result: undefined })
  return own
}
