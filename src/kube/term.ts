import type { Clock, Timer } from '../base/clock.ts'
import { type Fence, FencedError } from './fence.ts'

export interface TermOptions {
  clock: Clock
  /** Milliseconds since boot, including the machine's sleep. */
  sinceBoot: () => number
  /** Milliseconds after the last renewal for which we may write. */
  renewDeadline: number
  transitions: number
  holder: string
}

/**
 * One period of leadership, from one acquisition to its end; an end is final. Every write of the leader goes through
 * this fence.
 *
 * Guaranteed: a renewal counts from the moment before it was sent; others count from when they saw it, which is later.
 * We write until `renewDeadline` after our moment; others take over no earlier than the lease's duration after theirs.
 * So with a duration of 15 s and a deadline of 10 s there are 5 s between our last byte and a successor's first byte,
 * however the machines' clocks are set; only their speeds must agree within that margin. `check` runs in the turn of
 * the event loop in which the bytes go to the socket, so no other code runs in between, and it compares times itself:
 * after SIGSTOP, a long garbage collection or the machine's sleep the first check reports the end of the term,
 * whichever timer fires first. It reads both clocks and uses the larger result, because Linux's monotonic clock stops
 * while a machine sleeps. At the deadline `signal` ends running requests.
 *
 * Not guaranteed: in a paused virtual machine no clock advances. A process that is stopped between the check and the
 * write to the socket (microseconds), or whose bytes wait in the kernel, in a proxy or at the server, writes late; an
 * aborted request may have been carried out. No clock helps, and the API server does not check tokens. The writes
 * themselves cover this by naming the state they saw: the server refuses an update with a resourceVersion, a delete
 * with uid and resourceVersion, and a create of a fixed name if a successor has written meanwhile. So the leader sends
 * only these writes, and server-side apply only with a resourceVersion in the object.
 */
export class Term implements Fence {
  /** Distinguishes this term from every other one of this lease. For logs, and for annotations of written objects. */
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

  /** Milliseconds for which we may write without another renewal; 0 or less: none. */
  get remaining(): number {
    const { clock, sinceBoot, renewDeadline } = this.#options
    const elapsed = Math.max(clock.now() - this.#renewed.at, sinceBoot() - this.#renewed.up)
    return renewDeadline - elapsed
  }

  /** Whether we may write now. Writes check it themselves. */
  get holds(): boolean {
    if (this.signal.aborted) return false
    if (this.remaining > 0) return true
    this.end(`the lease was not renewed within ${this.#options.renewDeadline} ms`)
    return false
  }

  check(): void {
    if (!this.holds) throw this.signal.reason
  }

  /** The lease was renewed by a request that started at these times. An ended term stays ended. */
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
      // A timer may fire slightly early, and the wall clock may have been set back.
      if (this.holds) this.#arm()
    })
  }
}
