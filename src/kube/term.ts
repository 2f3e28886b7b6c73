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
 * One period of leadership, from one acquisition to its end. All writes of the leader go through this fence.
 *
 * Guaranteed: with a lease duration of 15 s and a deadline of 10 s, at least 5 s pass between our last write to a
 * socket and the first write of the next leader.
 *
 * - We may write until `renewDeadline` after the moment before we sent the last renewal. Other managers count from the
 *   later moment when they saw this renewal, and wait for the lease duration. So the clocks of the machines need not
 *   agree; only their speeds must agree within the 5 s.
 * - `check` runs in the same turn of the event loop as the write to the socket. It compares times itself, so the first
 *   check after SIGSTOP, a long garbage collection or a sleep of the machine reports the end of the term, even before
 *   the timer fires. It uses the later of two clocks, because Linux's monotonic clock stops while a machine sleeps.
 * - At the deadline, `signal` aborts running requests.
 *
 * Not guaranteed: a write may arrive late. In a paused virtual machine no clock advances. The process may be stopped in
 * the microseconds between the check and the write. Bytes may wait in the kernel, in a proxy or at the server, and an
 * aborted request may be carried out. The API server does not check tokens of leaders, so each write names the state
 * that it expects: an update or a server-side apply has a resourceVersion, a delete has a uid, and a create has a fixed
 * name. The server then refuses the write if the next leader has written meanwhile.
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
