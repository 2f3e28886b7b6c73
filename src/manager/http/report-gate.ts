import type { Clock } from '../../base/clock.ts'

export interface ReportGateOptions {
  /** Whether too much work of accepted requests still waits. */
  isBehind: () => boolean
  clock: Pick<Clock, 'after'>
  /** Maximum bodies that are read and processed at the same time. Default 64. */
  atOnce?: number
  /** Maximum waiting requests. Default 2,000. */
  waiting?: number
  /**
   * Maximum requests of one caller, admitted and waiting together, so that one token cannot take all places. Default 2.
   */
  perCaller?: number
}

interface Waiter {
  caller: string
  isGone: () => boolean
  resolve: (entered: boolean) => void
}

/** Milliseconds between two checks of `isBehind`. */
const pollInterval = 1

/**
 * Limits concurrent requests, and admits no request while the manager is behind. A thousand nodes that each report a
 * thousand profiles cause a million messages, which take memory while they wait; a waiting request does not, because
 * its body is not read.
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

  /** Number of admitted requests (`inside`), and of waiting requests. */
  get depth(): { inside: number; waiting: number } {
    return { inside: this.#inside, waiting: this.#waiters.length }
  }

  /**
   * Waits for a place. The caller must give it back with `leave`.
   * @param isGone whether the caller has disconnected meanwhile
   * @returns false if too many requests wait, in all or of this caller, or if the caller has disconnected
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
        clock.after(pollInterval, () => {
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
