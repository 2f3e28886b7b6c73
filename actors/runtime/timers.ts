import type { Clock, Timer } from '../../src/base/clock.ts'
import { checkAboveZero, checkFromZero } from './limits.ts'
import type { DueTimer } from './mark.ts'

type Send = (message: unknown, mark: DueTimer) => void

/** One timer of an actor. */
class KeyedTimer implements DueTimer {
  readonly kind = 'timer'
  readonly key: string
  live = true
  queued = false
  armed: Timer | undefined
  readonly period: number | undefined

  constructor(key: string, period: number | undefined) {
    this.key = key
    this.period = period
  }
}

/** The timers of one actor, by key. The actor has one only while it has timers. */
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

  set(key: string, delay: number, message: unknown, repeat: boolean): void {
    if (repeat) checkAboveZero('The period of a timer', delay)
    else checkFromZero('The delay of a timer', delay)
    this.cancel(key)
    const timer = new KeyedTimer(key, repeat ? delay : undefined)
    this.timers.set(key, timer)
    this.arm(timer, delay, message)
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
   * @returns whether it is to be handled
   */
  taken(timer: DueTimer): boolean {
    timer.queued = false
    if (!timer.live) return false
    const own = this.timers.get(timer.key)
    if (own?.period === undefined) this.timers.delete(timer.key)
    return true
  }

  private arm(timer: KeyedTimer, delay: number, message: unknown): void {
    timer.armed = this.clock.after(delay, () => {
      timer.armed = undefined
      if (timer.period !== undefined) this.arm(timer, timer.period, message)
      if (timer.queued) return
      timer.queued = true
      this.send(message, timer)
    })
  }
}
