import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Why } from './watches.ts'

/** An actor that is about to end: how, why, and who waits for it. */
export class Ending {
  drain: boolean
  why: Why = 'stopped'
  error: unknown
  /** The behaviour's `stop` is still to be called. */
  stopDue = false
  private waiters: (() => void)[] = []
  private deadline: Timer | undefined

  constructor(drain: boolean) {
    this.drain = drain
  }

  wait(done: () => void): void {
    this.waiters.push(done)
  }

  /** The first time limit stands. */
  limit(clock: Clock, within: number, over: () => void): void {
    if (within < Number.POSITIVE_INFINITY) this.deadline ??= clock.after(within, over)
  }

  finish(): void {
    this.deadline?.cancel()
    for (const done of this.waiters) done()
    this.waiters = []
  }
}
