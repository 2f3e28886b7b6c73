import type { Clock, Timer } from '../../src/base/clock.ts'
import { checkFromZero } from './limits.ts'
import type { DueTimer } from './origin.ts'

type Send = (message: unknown, origin: DueTimer) => void

/** One timer of an actor. */
interface KeyedTimer extends DueTimer {
  armed: Timer | undefined
}

/** The timers of one actor, by key. It exists only while the actor has timers. */
export class Timers {
  private readonly clock: Clock
  private readonly send: Send
  private readonly timers = new Map<string, KeyedTimer>()

  constructor(clock: Clock, send: Send) {
    this.clock = clock
    this.send = send
  }

  get size(): number {
    return this.timers.size
  }

  set(key: string, delay: number, message: unknown): void {
    checkFromZero('The delay of a timer', delay)
    this.cancel(key)
    const timer: KeyedTimer = { kind: 'timer', key, live: true, armed: undefined }
    this.timers.set(key, timer)
    timer.armed = this.clock.after(delay, () => {
      timer.armed = undefined
      this.send(message, timer)
    })
  }

  cancel(key: string): void {
    const timer = this.timers.get(key)
    if (timer === undefined) return
    timer.live = false
    timer.armed?.cancel()
    this.timers.delete(key)
  }

  cancelAll(): void {
    for (const key of [...this.timers.keys()]) this.cancel(key)
  }

  /**
   * Called when the message of a timer is taken from the mailbox.
   * @returns whether to handle it
   */
  taken(timer: DueTimer): boolean {
    if (timer.live) this.timers.delete(timer.key)
    return timer.live
  }
}
