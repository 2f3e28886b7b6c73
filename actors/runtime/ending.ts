/** How an actor ends, and the callers that wait for its end. */
export class Ending {
  /** Whether the actor handles queued messages first; if false, they become dead letters. */
  drain: boolean
  /** Whether the behaviour's `stop` must still be called. */
  stopDue = false
  private waiters: (() => void)[] = []

  constructor(drain: boolean) {
    this.drain = drain
  }

  wait(done: () => void): void {
    this.waiters.push(done)
  }

  finish(): void {
    for (const done of this.waiters) done()
    this.waiters = []
  }
}
