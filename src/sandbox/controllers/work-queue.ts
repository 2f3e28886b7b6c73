import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { backoff } from './backoff.ts'

export interface WorkQueueOptions {
  readonly clock: Clock
  readonly random: Random
  work(key: string): Promise<void>
  /** Is told of each failure; the key is tried again by itself. */
  failed(key: string, error: unknown, failures: number): void
  /** How many keys are worked on at a time. */
  readonly concurrency?: number
  /** A key is worked on at most once in so many milliseconds: changes in between are handled together. */
  readonly interval?: number
}

interface Planned {
  readonly due: number
  readonly timer: Timer
}

/** Between the tries of a key that fails. Milliseconds; client-go begins at the same. */
const retries = { shortest: 5, longest: 60_000 }

/**
 * Work by key: a key that is added often is worked on once, never twice at a time, again when it was added meanwhile,
 * and later when its work failed.
 */
export class WorkQueue {
  private readonly options: WorkQueueOptions
  private readonly ready = new Set<string>()
  private readonly active = new Set<string>()
  private readonly again = new Set<string>()
  private readonly planned = new Map<string, Planned>()
  private readonly failures = new Map<string, number>()
  private readonly resting = new Set<Timer>()
  private running = 0
  private scheduled = false
  private closed = false

  constructor(options: WorkQueueOptions) {
    this.options = options
  }

  /** Whether nothing is being worked on or waits for its turn. Keys planned for later do not count. */
  get idle(): boolean {
    return this.ready.size === 0 && this.running === 0
  }

  add(key: string): void {
    if (this.closed) return
    if (this.active.has(key)) this.again.add(key)
    else {
      this.ready.add(key)
      this.schedule()
    }
  }

  /** Adds the key after so many milliseconds, unless it is planned for earlier already. */
  addAfter(key: string, delay: number): void {
    if (this.closed) return
    if (delay <= 0) {
      this.add(key)
      return
    }
    const due = this.options.clock.now() + delay
    const known = this.planned.get(key)
    if (known && known.due <= due) return
    known?.timer.cancel()
    const timer = this.options.clock.after(delay, () => {
      this.planned.delete(key)
      this.add(key)
    })
    this.planned.set(key, { due, timer })
  }

  close(): void {
    this.closed = true
    this.ready.clear()
    this.again.clear()
    for (const { timer } of this.planned.values()) timer.cancel()
    for (const timer of this.resting) timer.cancel()
    this.planned.clear()
  }

  /** Never inside the change that led to the work: all that a change touches is seen together. */
  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      for (const key of this.ready) {
        if (this.running >= (this.options.concurrency ?? 16)) return
        this.ready.delete(key)
        void this.run(key)
      }
    })
  }

  private async run(key: string): Promise<void> {
    this.active.add(key)
    this.running++
    let failed = false
    try {
      await this.options.work(key)
      this.failures.delete(key)
    } catch (error) {
      failed = true
      this.retry(key, error)
    }
    this.running--
    this.release(key, failed)
    this.schedule()
  }

  private retry(key: string, error: unknown): void {
    if (this.closed) return
    const failures = (this.failures.get(key) ?? 0) + 1
    this.failures.set(key, failures)
    this.options.failed(key, error, failures)
    this.addAfter(key, backoff(failures - 1, retries, this.options.random))
  }

  private release(key: string, failed: boolean): void {
    const { interval = 0, clock } = this.options
    const finish = (): void => {
      this.active.delete(key)
      // After a failure the retry that is planned sees the changes too; without its pause a failing key would spin.
      if (this.again.delete(key) && !(failed && this.planned.has(key))) this.add(key)
    }
    if (interval === 0 || this.closed) {
      finish()
      return
    }
    const timer = clock.after(interval, () => {
      this.resting.delete(timer)
      finish()
    })
    this.resting.add(timer)
  }
}
