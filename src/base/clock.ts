/** A timer that was set and may be taken back. */
export interface Timer {
  /** Takes the timer back. After it fired, or a second time, nothing happens. */
  cancel(): void
}

/** Where time comes from. Everything that waits asks a clock, so a test can move time by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
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

/** The machine's monotonic clock: a changed wall clock moves nothing. It stands still while the machine sleeps. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delay, callback) {
    if (Number.isNaN(delay)) throw new RangeError('A timer needs a delay in milliseconds, not NaN')
    return new SystemTimer(delay, callback)
  },
}

/** The time of day, which somebody may set. For what is compared with times of the kernel or of files. */
export const wallClock: Clock = { now: Date.now, after: systemClock.after }

/**
 * Waits `delay` milliseconds of the clock. Leaves neither timer nor listener behind.
 * @throws the reason of the signal, as soon as it is aborted
 */
export function sleep(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.after(delay, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
