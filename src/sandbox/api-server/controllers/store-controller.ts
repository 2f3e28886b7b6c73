import type { ApiContext } from '../context.ts'
import type { StoreEvent } from '../store/history.ts'

/** Pieces of work until other work runs. */
const batch = 64

/**
 * Work that follows changes of the store: each key runs once, however often it is added, in order, and never inside the
 * write that caused it. Writes of this work are changes again, and may add more.
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

  /** Resolves once no work is left. */
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
        // A Node.js warning: the server continues, and retries at the next change.
        const what = error instanceof Error ? error.stack : String(error)
        process.emitWarning(`${this.constructor.name}: ${key}: ${what}`)
      }
      if (++done % batch === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    this.running = false
    for (const wake of this.idleWaiters.splice(0)) wake()
  }
}
