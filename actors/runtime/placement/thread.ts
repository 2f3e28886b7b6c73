import type { Worker } from 'node:worker_threads'
import { Counters, copyStats, type Stats, sumStats } from '../counters.ts'
import type { Environment } from '../environment.ts'
import type { Family } from '../family.ts'
import { checkAboveZero, checkCount, checkFromZeroOrForever } from '../limits.ts'
import type { AnyReference, StopOptions } from '../reference.ts'
import { checkSupervision, failuresInARow, restartDelay, type Supervision } from '../supervision.ts'
import { Link } from './link.ts'
import type { Batch } from './protocol.ts'
import { RemoteReference } from './remote-reference.ts'
import { startWorker } from './start-worker.ts'

export interface ThreadOptions {
  /**
   * URL of the module that the thread runs: `new URL('./x.ts', import.meta.url)`, or the compiled `.js`. The thread
   * calls its default export, an `Install`, with the thread's own actor system.
   */
  readonly module: URL
  /**
   * Families that the module defines. `family` gives a reference to such a family in this thread, `lookup` in any
   * thread.
   */
  readonly families: readonly string[]
  /** The second argument of `install`. It is cloned. */
  readonly data?: unknown
  /** Maximum number of messages on the way in each direction. Default 100,000. */
  readonly limit?: number
  /** The backoff before the restart of a dead thread, as in `Supervision`. */
  readonly restart?: Pick<Supervision, 'firstBackoff' | 'maxBackoff' | 'healthyAfter'>
  /** Maximum heap of the thread in MiB. A thread that needs more dies and restarts. */
  readonly heap?: number
  /** Maximum MiB for new objects, in addition to `heap`. Default: Node.js's own. */
  readonly newObjects?: number
}

/** Data that the worker gets at its start. */
export interface ThreadData {
  readonly name: string
  readonly module: string
  readonly data: unknown
  readonly limit: number
}

export interface ThreadStats {
  /** Messages between the threads: `processed` have arrived, `queued` are on the way. */
  readonly link: Stats
  /**
   * The last stats of the thread's own actors plus the stats of earlier threads. Messages that were lost with an
   * earlier thread are dead letters.
   */
  readonly inside: Stats
  readonly restarts: number
}

/** Milliseconds that a thread may take to end in addition to its actors' time: a tenth of their time, within bounds. */
const grace = (within: number): number => Math.min(2_000, Math.max(250, within / 10))

/** A worker thread with its own actor system; it restarts when it dies. */
export class Thread {
  readonly name: string
  private readonly environment: Environment
  private readonly options: ThreadOptions
  private readonly link: Link
  private readonly past = new Counters()
  private worker: Worker
  private restarts = 0
  private failures = 0
  private startedAt = 0
  private stopping = false
  private stopped: () => void = () => undefined

  constructor(
    name: string,
    options: ThreadOptions,
    environment: Environment,
    lookup: (address: string) => AnyReference,
  ) {
    checkOptions(options)
    this.name = name
    this.options = options
    this.environment = environment
    this.link = new Link({
      name,
      environment,
      limit: this.limit,
      resolve: lookup,
      ready: () => this.link.attach(this.worker),
    })
    this.worker = this.start()
  }

  get stats(): ThreadStats {
    const inside = [this.past, ...(this.link.reported === undefined ? [] : [this.link.reported])]
    return { link: copyStats(this.link.counters), inside: sumStats(inside), restarts: this.restarts }
  }

  /** A family of this thread, seen from the main thread. */
  family<Message>(name: string): Family<Message> {
    if (!this.options.families.includes(name)) throw new Error(`Thread ${this.name} has no family ${name}`)
    return { name, of: (key) => this.reference<Message>(`${name}/${key}`) }
  }

  reference<Message>(address: string): RemoteReference<Message> {
    return new RemoteReference<Message>(this.link, address, this.environment.deadlines)
  }

  /** Stops the thread's actors and ends the thread; resolves when it has ended, as `ActorSystem.stop` does. */
  async stop(options: StopOptions = {}): Promise<void> {
    const { within = 30_000 } = options
    checkFromZeroOrForever('The time to stop', within)
    this.stopping = true
    const kill = (): void => void this.worker.terminate()
    const limit =
      within < Number.POSITIVE_INFINITY ? this.environment.clock.after(within + grace(within), kill) : undefined
    const before = this.stopped
    await new Promise<void>((resolve) => {
      this.stopped = () => {
        before()
        resolve()
      }
      this.link.sendClose(options)
      if (this.worker.threadId === -1) this.ended()
    })
    limit?.cancel()
  }

  /** Kills the thread, as a crash would. The thread restarts. */
  async kill(): Promise<void> {
    await this.worker.terminate()
  }

  private get limit(): number {
    return this.options.limit ?? 100_000
  }

  private start(): Worker {
    const { module, data, heap, newObjects } = this.options
    const workerData: ThreadData = { name: this.name, module: module.href, data, limit: this.limit }
    const worker = startWorker({
      workerData,
      resourceLimits: {
        ...(heap !== undefined && { maxOldGenerationSizeMb: heap }),
        ...(newObjects !== undefined && { maxYoungGenerationSizeMb: newObjects }),
      },
    })
    worker.on('message', (batch: Batch) => this.link.receive(batch))
    worker.on('error', (error) => this.environment.log.error({ thread: this.name, err: error }, 'a thread failed'))
    worker.on('exit', (code) => this.exited(code))
    this.startedAt = this.environment.clock.now()
    return worker
  }

  private exited(code: number): void {
    this.bury()
    if (this.stopping) {
      this.ended()
      return
    }
    const { clock, random, log } = this.environment
    const { restart = {} } = this.options
    this.failures = failuresInARow(restart, this.failures, clock.now() - this.startedAt)
    const retryIn = restartDelay(restart, this.failures, random)
    log.error({ thread: this.name, code, failures: this.failures, retryMs: retryIn }, 'a thread died')
    clock.after(retryIn, () => {
      if (this.stopping) return
      this.restarts++
      this.worker = this.start()
    })
  }

  /** Keeps the dead thread's stats; messages that were queued in the thread are lost. */
  private bury(): void {
    const last = this.link.reported
    this.link.detach()
    if (last === undefined) return
    const sum = sumStats([this.past, { ...last, queued: 0, live: 0, passivated: 0 }])
    Object.assign(this.past, sum, { deadLetters: { ...sum.deadLetters } })
    this.environment.deadLetters.addMany('thread-died', this.name, last.queued, this.past)
  }

  private ended(): void {
    this.link.end()
    this.stopped()
  }
}

function checkOptions({ limit, heap, newObjects, restart = {} }: ThreadOptions): void {
  if (limit !== undefined) checkCount("The limit of a thread's link", limit)
  if (heap !== undefined) checkAboveZero("A thread's heap", heap)
  if (newObjects !== undefined) checkAboveZero("A thread's heap for new objects", newObjects)
  checkSupervision(restart)
}
