import { Backoff } from '../base/backoff.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'

export interface WorkQueueOptions {
  readonly clock: Clock
  readonly random: Random
  work(key: string): void | Promise<void>
  /** Called for each failure. The queue tries the key again. */
  failed(key: string, error: unknown, failures: number): void
  /** Maximum keys that run at the same time. */
  readonly concurrency: number
}

/** Milliseconds between two tries of a failing key. */
const retries = { first: 10, max: 60_000 }
/** Maximum number of runs in a batch. Between batches, other work of the process runs. */
const batch = 64

/**
 * Work by key. A key that is added repeatedly runs once. It never runs twice at the same time: if it is added while it
 * runs, it runs again afterwards. After a failure, it runs later.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #ready = new Set<string>()
  readonly #active = new Set<string>()
  readonly #again = new Set<string>()
  readonly #planned = new Map<string, { due: number; timer: Timer }>()
  readonly #failures = new Map<string, { count: number; backoff: Backoff }>()
  #waiters: (() => void)[] = []
  #started = 0
  #scheduled = false
  #closed = false

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Whether no key is running or ready. Keys that are planned for later do not count. */
  get isIdle(): boolean {
    return this.#ready.size === 0 && this.#active.size === 0
  }

  /** Resolves when the queue is idle. */
  idle(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve))
  }

  add(key: string): void {
    if (this.#closed) return
    if (this.#active.has(key)) this.#again.add(key)
    else {
      this.#ready.add(key)
      this.#schedule()
    }
  }

  /** Adds the key after `delay` milliseconds, unless it is already planned for an earlier time. */
  addAfter(key: string, delay: number): void {
    if (this.#closed) return
    const { clock } = this.#options
    const due = clock.now() + delay
    const known = this.#planned.get(key)
    if (known !== undefined && known.due <= due) return
    known?.timer.cancel()
    const timer = clock.after(Math.max(0, delay), () => {
      this.#planned.delete(key)
      this.add(key)
    })
    this.#planned.set(key, { due, timer })
  }

  close(): void {
    this.#closed = true
    this.#ready.clear()
    this.#again.clear()
    for (const { timer } of this.#planned.values()) timer.cancel()
    this.#planned.clear()
    this.#wake()
  }

  /** Schedules a batch. Work never runs inside the change that added its key, so it sees all effects of the change. */
  #schedule(): void {
    if (this.#scheduled || this.#ready.size === 0 || this.#active.size >= this.#options.concurrency) return
    this.#scheduled = true
    const run = (): void => {
      this.#scheduled = false
      for (const key of this.#ready) {
        if (this.#active.size >= this.#options.concurrency) return
        this.#ready.delete(key)
        void this.#run(key)
      }
    }
    if (this.#started % batch === batch - 1) setImmediate(run)
    else queueMicrotask(run)
  }

  async #run(key: string): Promise<void> {
    this.#started++
    this.#active.add(key)
    try {
      await this.#options.work(key)
      this.#failures.delete(key)
    } catch (error) {
      this.#retry(key, error)
    }
    this.#active.delete(key)
    // After a failure, the planned retry sees the changes, too. If the key ran at once instead, a failing key would run
    // all the time.
    if (this.#again.delete(key) && !this.#failures.has(key)) this.add(key)
    this.#schedule()
    if (this.isIdle) this.#wake()
  }

  #retry(key: string, error: unknown): void {
    if (this.#closed) return
    const { random, failed } = this.#options
    const known = this.#failures.get(key) ?? { count: 0, backoff: new Backoff({ ...retries, random }) }
    known.count++
    this.#failures.set(key, known)
    failed(key, error, known.count)
    this.addAfter(key, known.backoff.next())
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake()
  }
}
