/** How many pieces of work are done before others get their turn. */
const batch = 64

/**
 * Work that follows from changes: each key once however often it is added, in the order of adding, never inside the
 * write that led to it. Every write of the work is told to the store's listeners, which may add more.
 */
export class WorkQueue {
  private readonly pending = new Set<string>()
  private readonly work: (key: string) => void | Promise<void>
  private readonly failed: (key: string, error: unknown) => void
  private running = false
  private closed = false
  private idleWaiters: (() => void)[] = []

  constructor(work: (key: string) => void | Promise<void>, failed: (key: string, error: unknown) => void) {
    this.work = work
    this.failed = failed
  }

  add(key: string): void {
    if (this.closed) return
    this.pending.add(key)
    if (this.running) return
    this.running = true
    queueMicrotask(() => void this.run())
  }

  /** Resolves once there is nothing to do. */
  idle(): Promise<void> {
    if (!this.running) return Promise.resolve()
    return new Promise((resolve) => this.idleWaiters.push(resolve))
  }

  close(): void {
    this.closed = true
    this.pending.clear()
  }

  private async run(): Promise<void> {
    let done = 0
    for (const key of this.pending) {
      this.pending.delete(key)
      try {
        await this.work(key)
      } catch (error) {
        this.failed(key, error)
      }
      if (++done % batch === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    this.running = false
    const waiters = this.idleWaiters
    this.idleWaiters = []
    for (const wake of waiters) wake()
  }
}
