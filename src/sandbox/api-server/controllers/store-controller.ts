import type { ApiContext } from '../context.ts'
import type { StoreEvent } from '../store/history.ts'

/** How many pieces of work are done before others get their turn. */
const batch = 64

/**
 * What follows from changes of the store: each key once however often it is added, in the order of adding, never inside
 * the write that led to it. Every write of the work is a change again, and may add more.
 */
export abstract class StoreController {
  protected readonly context: ApiContext
  private readonly pending = new Set<string>()
  private running = false
  private closed = false
  private idleWaiters: (() => void)[] = []

  constructor(context: ApiContext) {
    this.context = context
    context.store.listen((storage, event) => this.observe(storage, event))
  }

  protected abstract observe(storage: string, event: StoreEvent): void
  protected abstract work(key: string): void | Promise<void>

  protected add(key: string): void {
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
        // Said where Node.js says such things: the server goes on, and tries again with the next change.
        const what = error instanceof Error ? error.stack : String(error)
        process.emitWarning(`${this.constructor.name}: ${key}: ${what}`)
      }
      if (++done % batch === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    this.running = false
    for (const wake of this.idleWaiters.splice(0)) wake()
  }
}
