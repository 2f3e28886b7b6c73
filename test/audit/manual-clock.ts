import type { Present } from '../../src/audit/source/moment.ts'
import { asWall, type Clock, type WallMs } from '../../src/base/clock.ts'

/** A clock that a test moves by hand. */
export class ManualClock implements Clock {
  #now = 1_740_000_000_000
  #wallOffset = 0
  #timers: { at: number; callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  /** Timers that are set. */
  get waiting(): number {
    return this.#timers.length
  }

  after(delay: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.#now + delay, callback }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      },
    }
  }

  wall(): WallMs {
    return asWall(this.#now + this.#wallOffset)
  }

  /** Sets the time of day back. Timers keep their remaining time. */
  setBack(milliseconds: number): void {
    this.#wallOffset -= milliseconds
  }

  /** Advances the time and fires due timers in order, with a turn of the event loop after each. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    for (;;) {
      await turn()
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#now = next.at
      next.callback()
    }
    this.#now = end
    await turn()
  }
}

/** Moments by a manual clock, which also gives the time since boot. */
export const presentBy =
  (clock: ManualClock, boot = 'boot'): Present =>
  () => ({ at: clock.wall(), boot, up: clock.now() })

/** Lets one turn of the event loop run, for work that needs no time. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
