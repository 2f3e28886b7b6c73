import type { Clock, Timer } from '../../../src/base/clock.ts'
import type { Pace } from '../../../src/kube/limiter.ts'

/** Milliseconds between two refills, as in the real limiter. */
const TICK = 250

/**
 * The pace of a limiter under a clock that a test moves: it gives turns at the same times as a real manager's limiter.
 */
export class SimulatedPace implements Pace {
  readonly #clock: Clock
  readonly #share: number
  readonly #burst: number
  #tokens: number
  #tick: number
  #waiting: ((turns: number) => void)[] = []
  #timer: Timer | undefined

  constructor(clock: Clock, { qps, burst }: { qps: number; burst: number }) {
    this.#clock = clock
    this.#share = (qps * TICK) / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#tick = Math.floor(clock.now() / TICK)
  }

  next(_most: number, callback: (turns: number) => void): void {
    this.#waiting.push(callback)
    this.#arm(0)
  }

  close(): void {
    this.#waiting = []
    this.#timer?.cancel()
  }

  #arm(delay: number): void {
    this.#timer ??= this.#clock.after(delay, () => {
      this.#timer = undefined
      this.#give()
    })
  }

  #give(): void {
    const tick = Math.floor(this.#clock.now() / TICK)
    this.#tokens = Math.min(this.#burst, this.#tokens + (tick - this.#tick) * this.#share)
    this.#tick = tick
    const turns = this.#waiting.splice(0, Math.floor(this.#tokens))
    this.#tokens -= turns.length
    for (const turn of turns) turn(1)
    if (this.#waiting.length > 0) this.#arm((tick + 1) * TICK - this.#clock.now())
  }
}
