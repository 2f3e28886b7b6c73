/** An actor that is about to end: how it ends, and who waits for it. */
export class Ending {
  /** Handle queued messages first; if false, they become dead letters. */
  drain: boolean
  /** The behaviour's `stop` must still be called. */
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
