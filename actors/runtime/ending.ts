/** An actor that is about to end: how, and who waits for it. */
export class Ending {
  /** What is in the mailbox is handled first; else it becomes dead letters. */
  drain: boolean
  /** The behaviour's `stop` is still to be called. */
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
