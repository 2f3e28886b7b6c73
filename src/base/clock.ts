import { uptime } from 'node:os'

/** A timer that was set and may be taken back. */
export interface Timer {
  /** Takes the timer back. After it fired, or a second time, nothing happens. */
  cancel(): void
}

declare const wallTime: unique symbol
/** Milliseconds since the Unix epoch, as the machine shows the time of day. The type keeps what is printed apart from durations. */
export type WallMs = number & { readonly [wallTime]: true }

/** @param milliseconds since the Unix epoch, from a time stamp that was read */
export const asWall = (milliseconds: number): WallMs => milliseconds as WallMs

/** The last millisecond that ISO 8601 writes with four digits of the year. */
const lastWritten = 253_402_300_799_999

/** A wall time as ISO 8601 with milliseconds, in UTC. Never throws: a time before 1970 or after 9999 is the nearest one of these. */
export const isoTime = (time: WallMs): string =>
  new Date(Number.isNaN(time) ? 0 : Math.min(Math.max(time, 0), lastWritten)).toISOString()

/** Where time comes from. Everything that waits asks a clock, so a test can move time by hand. */
export interface Clock {
  /** Milliseconds since some moment. Only ever grows, whatever is done to the time of day: for durations, deadlines, ages. */
  now(): number
  /** The time of day, which can be set: only for what is printed, and for times that other programs have written. */
  wall(): WallMs
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

/** Each thread counts performance.now() from its own start, and CLOCK_MONOTONIC, which the addon has, from one moment. */
const [seconds, nanoseconds] = process.hrtime()
const origin = seconds * 1_000 + nanoseconds / 1e6 - performance.now()

/** The clocks of the machine. `now` is CLOCK_MONOTONIC, the same in all threads; it stands still while the machine sleeps. */
export const systemClock: Clock = {
  now: () => origin + performance.now(),
  wall: () => asWall(Date.now()),
  after(delay, callback) {
    if (Number.isNaN(delay)) throw new RangeError('A timer needs a delay in milliseconds, not NaN')
    return new SystemTimer(delay, callback)
  },
}

/**
 * Milliseconds since the machine booted, its sleep included (CLOCK_BOOTTIME), in steps of 10. Agents one after the other share it,
 * as long as the id of the boot is the same.
 */
export const sinceBoot = (): number => uptime() * 1_000

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
