import { type Change, mergeChanges } from './change.ts'

/** A subscriber to changes. It is called for one change at a time; the next call waits for a returned promise. */
export interface Handler<T> {
  /** For metrics and logs. */
  name: string
  /**
   * `level`: the handler acts on the current state, so waiting changes of one object are merged. `edge`: the handler
   * needs every change; changes are merged only when more than `bound` wait, and merges are counted. Default `level`.
   */
  mode?: 'level' | 'edge'
  /**
   * Maximum changes that wait for an `edge` handler before changes are merged. In addition, one change for each object
   * may wait. Default 10,000.
   */
  bound?: number
  handle(change: Change<T>): void | Promise<void>
}

export interface HandlerObserver {
  /** A handler threw. It is not called again for this change. */
  handlerFailed?(handler: string, change: Change<unknown>, error: unknown): void
  /** A change for an `edge` handler was merged with the previous change of the same object. */
  changeMerged?(handler: string, key: string): void
}

/** Maximum calls in one turn of the event loop, so that a long queue does not block other work. */
const CALLS_A_TURN = 256

/** The changes that wait for one handler. Errors and delays of the handler do not affect the producer of changes. */
export class HandlerQueue<T> {
  readonly handler: Handler<T>
  #observer: HandlerObserver
  #bound: number
  #waiting = new Map<number, Change<T>>()
  /** The last waiting change of each key. */
  #last = new Map<string, number>()
  #next = 0
  #running = false
  #turn: NodeJS.Immediate | undefined
  #stopped = false

  constructor(handler: Handler<T>, observer: HandlerObserver) {
    this.handler = handler
    this.#observer = observer
    this.#bound = handler.mode === 'edge' ? (handler.bound ?? 10_000) : 0
  }

  /** Number of waiting changes. */
  get depth(): number {
    return this.#waiting.size
  }

  push(change: Change<T>): void {
    if (this.#stopped) return
    const last = this.#last.get(change.key)
    if (last !== undefined && this.#waiting.size >= this.#bound) this.#merge(last, change)
    else this.#append(change)
    this.#schedule()
  }

  /** Drops waiting changes and makes no more calls. Does not wait for a running call. */
  stop(): void {
    this.#stopped = true
    this.#waiting.clear()
    this.#last.clear()
    clearImmediate(this.#turn)
  }

  #append(change: Change<T>): void {
    this.#last.set(change.key, this.#next)
    this.#waiting.set(this.#next++, change)
  }

  #merge(last: number, change: Change<T>): void {
    const merged = mergeChanges(this.#waiting.get(last)!, change)
    if (merged !== undefined) this.#waiting.set(last, merged)
    else {
      this.#waiting.delete(last)
      this.#last.delete(change.key)
    }
    if (this.handler.mode === 'edge') this.#observer.changeMerged?.(this.handler.name, change.key)
  }

  #schedule(): void {
    if (this.#running || this.#waiting.size === 0) return
    this.#running = true
    this.#turn = setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    for (let left = CALLS_A_TURN; left > 0 && !this.#stopped; left--) {
      const change = this.#take()
      if (change === undefined) break
      try {
        const done = this.handler.handle(change)
        if (done !== undefined) await done
      } catch (error) {
        this.#observer.handlerFailed?.(this.handler.name, change, error)
      }
    }
    this.#running = false
    if (!this.#stopped) this.#schedule()
  }

  #take(): Change<T> | undefined {
    for (const [id, change] of this.#waiting) {
      this.#waiting.delete(id)
      if (this.#last.get(change.key) === id) this.#last.delete(change.key)
      return change
    }
    return undefined
  }
}
