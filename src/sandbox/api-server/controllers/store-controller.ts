import type { ApiContext } from '../context.ts'
import type { StoreEvent } from '../store/history.ts'

/** Maximum number of keys in a batch. Between batches, other work of the process runs. */
const batch = 64

/**
 * Runs work after changes of the store, in order. A key that was added several times runs once, and never inside the
 * write that added it. Writes of this work are changes, too, and may add keys.
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

  /** Resolves when no work is left. */
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
        // Emit a Node.js warning, because the server continues: it tries again at the next change.
        const what = error instanceof Error ? error.stack : String(error)
        process.emitWarning(`${this.constructor.name}: ${key}: ${what}`)
      }
      if (++done % batch === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    this.running = false
    for (const wake of this.idleWaiters.splice(0)) wake()
  }
}
