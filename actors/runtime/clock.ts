import { checkFromZero } from './limits.ts'

/** A timer that was set and may be taken back. */
export interface Timer {
  /** Takes the timer back. After it fired, or a second time, nothing happens. */
  cancel(): void
}

/** Where time comes from. Everything in this room that waits asks a clock, so a test can move time by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch. Never goes back. */
  now(): number
  /** Calls back once, `delay` milliseconds from now, never before this call has returned. */
  after(delay: number, callback: () => void): Timer
}

/** The longest delay that Node.js's setTimeout takes; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1

class SystemTimer implements Timer {
  private handle: NodeJS.Timeout

  constructor(delay: number, callback: () => void) {
    this.handle = this.arm(delay, callback)
  }

  private arm(delay: number, callback: () => void): NodeJS.Timeout {
    if (delay <= LONGEST) return setTimeout(callback, delay)
    return setTimeout(() => {
      this.handle = this.arm(delay - LONGEST, callback)
    }, LONGEST)
  }

  cancel(): void {
    clearTimeout(this.handle)
  }
}

/** The machine's clock: monotonic, so a changed wall clock moves no timer. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delay, callback) {
    if (Number.isNaN(delay)) throw new RangeError('A timer needs a delay in milliseconds, not NaN')
    return new SystemTimer(delay, callback)
  },
}

/**
 * Resolves after `delay` milliseconds of the given clock.
 * @throws {RangeError} unless it is a finite number from 0
 */
export function sleep(clock: Clock, delay: number): Promise<void> {
  checkFromZero('The delay', delay)
  return new Promise((resolve) => {
    clock.after(delay, resolve)
  })
}
