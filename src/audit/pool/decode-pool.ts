import { availableParallelism } from 'node:os'
import { Piscina, queueOptionsSymbol } from 'piscina'
import { mebibyte } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import { BufferStore, ownMemory, sharedMemory } from '../batch/buffer-store.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { undecodedLines } from '../sink/own-lines.ts'
import { Attempt, Placement } from './placement.ts'
import { ProcessLog } from './process-log.ts'
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
  /** Milliseconds that a worker may take for a batch before its thread is ended. Default 10,000. */
  timeLimit?: number
  /** Milliseconds more for the first batch of a thread, which has to start. Default 30,000. */
  startLimit?: number
  /** Megabytes of heap after which a worker is ended. Its buffers are outside of the heap. Default 256. */
  heapLimit?: number
  /** The worker's module; a test gives one that fails. */
  entry?: URL
  /** Called for every attempt that failed. */
  onFailure?: (failure: WorkerFailure) => void
}

export interface WorkerFailure {
  source: string
  seq: number
  /** threw: the decoder has a bug; crashed: its thread ended; stuck: it took too long. */
  kind: 'threw' | 'crashed' | 'stuck'
  problem: string
  /** The second failure of a batch: its records are written as they are. */
  givenUp: boolean
}

const tasksPerWorker = 2

/** Worker threads that turn batches into lines. A batch always has a result, whatever happens to the thread that has it. */
export class DecodePool {
  readonly seenProcesses: ProcessLog
  readonly failures = { threw: 0, crashed: 0, stuck: 0 }
  readonly threads: number
  /** Batches that no worker could finish. */
  givenUp = 0
  /** Batches that are worked on. */
  depth = 0
  #feed: SnapshotFeed
  #clock: Clock
  #piscina: Piscina<WorkerTask, WorkerReply>
  #placement: Placement
  /** Bytes of batches on their way to a worker, of sources that have no shared memory of their own. */
  #carriers: BufferStore<SharedArrayBuffer>
  /** Memory for the output of the next batches. */
  #outputs: BufferStore<ArrayBuffer>
  #onFailure: (failure: WorkerFailure) => void

  constructor(options: DecodePoolOptions) {
    const {
      feed,
      settings,
      clock,
      timeLimit = 10_000,
      startLimit = 30_000,
      heapLimit = 256,
      onFailure = () => undefined,
    } = options
    this.threads = options.threads ?? Math.max(1, Math.min(2, availableParallelism() - 1))
    this.#carriers = new BufferStore(sharedMemory, this.capacity, 4 * mebibyte)
    this.#outputs = new BufferStore(ownMemory, 2 * this.capacity, 16 * mebibyte)
    this.seenProcesses = options.seenProcesses ?? new ProcessLog()
    this.#feed = feed
    this.#clock = clock
    this.#onFailure = onFailure
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
    const replies = await Promise.all(Array.from({ length: this.threads }, () => this.#attempt(nothing(), true)))
    for (const reply of replies) if (!reply.ok) throw new Error(`the decoding threads do not start: ${reply.problem}`)
  }

  /**
   * Processes a batch. Its bytes are left as they are and not used any more when the result is there. A batch whose worker
   * fails is given to another one that does nothing else meanwhile; when that fails too, its records come out undecoded.
   * Never rejects. Whoever is done with the output gives its memory back with `recycle`.
   */
  async process({ position: _, ...batch }: SourceBatch): Promise<BatchResult> {
    this.depth++
    try {
      const first = await this.#attempt(batch, false)
      if (first.ok) return first.result
      this.#count(batch, first, false)
      const second = await this.#attempt(batch, true)
      if (second.ok) return second.result
      this.#count(batch, second, true)
      return this.#undecoded(batch)
    } finally {
      this.depth--
    }
  }

  /** Takes back the memory of a result's output. */
  recycle({ buffer }: Uint8Array): void {
    if (buffer instanceof ArrayBuffer) this.#outputs.give(buffer)
  }

  /** Ends the threads. Nothing may be in flight any more. */
  async close(): Promise<void> {
    await this.#piscina.destroy()
  }

  async #attempt(batch: WorkerTask['batch'], alone: boolean): Promise<WorkerReply & { kind?: WorkerFailure['kind'] }> {
    const bytes = this.#shared(batch.bytes)
    const spare = this.#outputs.any()
    const task: WorkerTask = { batch: { ...batch, bytes, ...(spare !== undefined && { spare }) } }
    const attempt = new Attempt(task, alone)
    this.#placement.wait(attempt)
    let replied = false
    try {
      const run = Object.assign(task, { [queueOptionsSymbol]: attempt })
      const { signal } = attempt.abort
      const transferList = spare === undefined ? [] : [spare]
      const reply = await this.#piscina.run(run, { transferList, signal })
      replied = true
      if (!reply.ok) return { ...reply, kind: 'threw' }
      // A worker that did not answer may still read it.
      if (bytes !== batch.bytes && bytes.buffer instanceof SharedArrayBuffer) this.#carriers.give(bytes.buffer)
      this.seenProcesses.add(reply.seenProcesses)
      return reply
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      return { ok: false, problem, kind: attempt.late ? 'stuck' : 'crashed' }
    } finally {
      this.#placement.settle(attempt, replied)
    }
  }

  /** The same bytes where workers see them too: whatever happens to one of them, they are there for the next. */
  #shared(bytes: Uint8Array): Uint8Array {
    if (bytes.buffer instanceof SharedArrayBuffer) return bytes
    const copy = new Uint8Array(this.#carriers.atLeast(bytes.length), 0, bytes.length)
    copy.set(bytes)
    return copy
  }

  #count(
    batch: WorkerTask['batch'],
    reply: { kind?: WorkerFailure['kind']; problem?: string },
    givenUp: boolean,
  ): void {
    const { kind = 'crashed', problem = '' } = reply
    this.failures[kind]++
    if (givenUp) this.givenUp++
    this.#onFailure({ source: batch.source, seq: batch.seq, kind, problem, givenUp })
  }

  #undecoded(batch: WorkerTask['batch']): BatchResult {
    const seconds = batch.readAt ?? Math.floor(this.#clock.now() / 1000)
    const { bytes, lines } = undecodedLines(batch, this.#feed, seconds)
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
    }
  }
}
