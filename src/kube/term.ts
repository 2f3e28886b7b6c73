import type { Clock, Timer } from '../base/clock.ts'
import { type Fence, FencedError } from './fence.ts'

export interface TermOptions {
  clock: Clock
  /** Milliseconds since boot, including time in which the machine slept. */
  sinceBoot: () => number
  /** Milliseconds after the last renewal during which we may write. */
  renewDeadline: number
  transitions: number
  holder: string
}

/**
 * One period of leadership, from one acquisition to its end. All writes of the leader go through this fence, which
 * allows them for `renewDeadline` from the time just before the last renewal was sent. A write may still arrive late,
 * so each write also names the state that it expects. docs/design/downward-flow.md gives the reasons.
 */
export class Term implements Fence {
  /** Distinguishes this term from all other terms of the lease, for logs and for annotations of written objects. */
  readonly token: { readonly transitions: number; readonly holder: string }
  #options: TermOptions
  #controller = new AbortController()
  #renewed: { at: number; up: number }
  #timer: Timer | undefined

  constructor(options: TermOptions, renewed: { at: number; up: number }) {
    this.token = { transitions: options.transitions, holder: options.holder }
    this.#options = options
    this.#renewed = renewed
    this.#arm()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Milliseconds for which we may still write without another renewal. If it is 0 or less, we may not write. */
  get remaining(): number {
    const { clock, sinceBoot, renewDeadline } = this.#options
    const elapsed = Math.max(clock.now() - this.#renewed.at, sinceBoot() - this.#renewed.up)
    return renewDeadline - elapsed
  }

  /** Whether we may write now. Callers need not check this before a write, because `check` does. */
  get holds(): boolean {
    if (this.signal.aborted) return false
    if (this.remaining > 0) return true
    this.end(`the lease was not renewed within ${this.#options.renewDeadline} ms`)
    return false
  }

  check(): void {
    if (!this.holds) throw this.signal.reason
  }

  /** Call this when a request that started at these times has renewed the lease. An ended term stays ended. */
  renewed(at: number, up: number): void {
    if (!this.holds) return
    this.#renewed = { at, up }
    this.#arm()
  }

  end(reason: string): void {
    this.#timer?.cancel()
    if (this.signal.aborted) return
    const { holder, transitions } = this.token
    this.#controller.abort(new FencedError(`${holder} no longer leads (term ${transitions}): ${reason}`))
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(Math.max(0, this.remaining), () => {
      // The term may still hold, because a timer may fire slightly early.
      if (this.holds) this.#arm()
    })
  }
}
