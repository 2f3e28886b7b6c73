import type { Clock } from '../../base/clock.ts'

export interface ReportGateOptions {
  /** Whether what was let in before still waits to be worked on. */
  isBehind: () => boolean
  clock: Pick<Clock, 'after'>
  /** Bodies that are read and taken at a time. Default 64. */
  atOnce?: number
  /** Requests that wait. Default 2,000. */
  waiting?: number
  /** Requests of one caller that are inside or wait: who holds a token cannot take all places. Default 2. */
  perCaller?: number
}

interface Waiter {
  caller: string
  isGone: () => boolean
  resolve: (entered: boolean) => void
}

/** Milliseconds between two looks whether the work is done. */
const lookEvery = 1

/**
 * Lets in so many requests at a time, and none while the work that earlier ones brought is not done: a thousand nodes that each report
 * a thousand profiles are a million messages, and as many mailboxes while they wait. Whoever waits has sent no body yet that
 * would have to be kept: the network holds it back.
 */
export class ReportGate {
  readonly #options: Required<ReportGateOptions>
  readonly #waiters: Waiter[] = []
  readonly #byCaller = new Map<string, number>()
  #inside = 0
  #looking = false

  constructor(options: ReportGateOptions) {
    this.#options = { atOnce: 64, waiting: 2_000, perCaller: 2, ...options }
  }

  /** Requests that are inside, and those that wait. */
  get depth(): { inside: number; waiting: number } {
    return { inside: this.#inside, waiting: this.#waiters.length }
  }

  /**
   * Waits for a place. Whoever got one gives it back with `leave`.
   * @param isGone whether the caller has left meanwhile
   * @returns false where there is none: too many wait, or too many of this caller
   */
  enter(caller: string, isGone: () => boolean): Promise<boolean> {
    const { waiting, perCaller } = this.#options
    const own = this.#byCaller.get(caller) ?? 0
    if (own >= perCaller || this.#waiters.length >= waiting) return Promise.resolve(false)
    this.#byCaller.set(caller, own + 1)
    return new Promise((resolve) => {
      this.#waiters.push({ caller, isGone, resolve })
      this.#letIn()
    })
  }

  leave(caller: string): void {
    this.#inside--
    this.#forget(caller)
    this.#letIn()
  }

  #letIn(): void {
    const { atOnce, isBehind, clock } = this.#options
    while (this.#waiters.length > 0 && this.#inside < atOnce) {
      if (isBehind()) {
        if (this.#looking) return
        this.#looking = true
        clock.after(lookEvery, () => {
          this.#looking = false
          this.#letIn()
        })
        return
      }
      const { caller, isGone, resolve } = this.#waiters.shift()!
      if (isGone()) {
        this.#forget(caller)
        resolve(false)
      } else {
        this.#inside++
        resolve(true)
      }
    }
  }

  #forget(caller: string): void {
    const left = (this.#byCaller.get(caller) ?? 0) - 1
    if (left > 0) this.#byCaller.set(caller, left)
    else this.#byCaller.delete(caller)
  }
}
