import { uptime } from 'node:os'

/** A timer that can be cancelled. */
export interface Timer {
  /** Cancels the timer. It is safe to call after the timer fired, and more than once. */
  cancel(): void
}

declare const wallTime: unique symbol
/**
 * Milliseconds since the Unix epoch, by the machine's wall clock. This type keeps points in time for output apart from
 * durations.
 */
export type WallMs = number & { readonly [wallTime]: true }

/** @param milliseconds since the Unix epoch, from a parsed timestamp */
export const asWall = (milliseconds: number): WallMs => milliseconds as WallMs

/** The last millisecond that ISO 8601 writes with a four-digit year. */
const lastWritten = 253_402_300_799_999

/**
 * A wall-clock time as ISO 8601 with milliseconds, in UTC. Never throws: a time before 1970 becomes 1970-01-01, and a
 * time after 9999 becomes the last millisecond of 9999.
 */
export const isoTime = (time: WallMs): string =>
  new Date(Number.isNaN(time) ? 0 : Math.min(Math.max(time, 0), lastWritten)).toISOString()

/** The source of time. All waiting code uses a clock, so that a test can advance time. */
export interface Clock {
  /**
   * Milliseconds since a fixed moment, for durations, deadlines and ages. Never decreases, even if the wall clock is
   * set.
   */
  now(): number
  /**
   * The wall-clock time, which users can change. Use this time only for output, and for comparison with times from
   * other programs.
   */
  wall(): WallMs
  /** Calls `callback` once after `delay` milliseconds, never before `after` returns. */
  after(delay: number, callback: () => void): Timer
}

/** The longest delay of Node.js's setTimeout; a timer with a longer delay would fire at once. */
const MAX = 2 ** 31 - 1

class SystemTimer implements Timer {
  private handle: NodeJS.Timeout

  constructor(delay: number, callback: () => void) {
    this.handle = this.arm(delay, callback)
  }

  private arm(delay: number, callback: () => void): NodeJS.Timeout {
    if (delay <= MAX) return setTimeout(callback, delay)
    return setTimeout(() => {
      this.handle = this.arm(delay - MAX, callback)
    }, MAX)
  }

  cancel(): void {
    clearTimeout(this.handle)
  }
}

/**
 * Use CLOCK_MONOTONIC, like the addon: its origin is the same for all threads. performance.now() starts at 0 in each
 * thread.
 */
const [seconds, nanoseconds] = process.hrtime()
const origin = seconds * 1_000 + nanoseconds / 1e6 - performance.now()

/** The machine's clocks. `now` is CLOCK_MONOTONIC: the same in all threads, and paused while the machine sleeps. */
export const systemClock: Clock = {
  now: () => origin + performance.now(),
  wall: () => asWall(Date.now()),
  after(delay, callback) {
    if (Number.isNaN(delay)) throw new RangeError('A timer needs a delay in milliseconds, not NaN')
    return new SystemTimer(delay, callback)
  },
}

/**
 * Milliseconds since the machine booted, including its sleep (CLOCK_BOOTTIME), in steps of 10. Successive agents can
 * compare these values if the boot id is the same.
 */
export const sinceBoot = (): number => uptime() * 1_000

/**
 * Waits `delay` milliseconds of the clock, and then leaves no timer or listener behind.
 * @throws the signal's reason, as soon as the signal is aborted
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
