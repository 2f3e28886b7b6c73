import { setMaxListeners } from 'node:events'

/** A timer that was set and may be taken back. */
export interface Timer {
  /** Takes the timer back. After it fired, or a second time, nothing happens. */
  cancel(): void
}

/** Where time comes from. Everything in this room that waits asks a clock, so a test can move time by hand. */
export interface Clock {
  /** Milliseconds; only differences mean something. Never goes back. */
  now(): number
  /** Calls back once, `delay` milliseconds from now, never before this call has returned. */
  after(delay: number, callback: () => void): Timer
}

/** A source of numbers in [0, 1), evenly spread. `Math.random` is one. */
export type Random = () => number

/** The machine's monotonic clock. It runs on while the process is stopped, and stands still while the machine sleeps. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delay, callback) {
    const handle = setTimeout(callback, Math.max(0, delay))
    return { cancel: () => clearTimeout(handle) }
  },
}

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

/**
 * What the promise gives, or the reason of the signal as soon as it is aborted. What the promise does afterwards is
 * nobody's concern any more, a rejection included.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/**
 * A controller that is aborted with any of the signals. Call `release` when the work is over: AbortSignal.any of Node.js 20
 * keeps an entry in its sources for as long as they live, and a process has few sources and many requests.
 */
export function linkedController(...signals: (AbortSignal | undefined)[]): {
  controller: AbortController
  release(): void
} {
  const controller = new AbortController()
  const releases: (() => void)[] = []
  for (const signal of signals) {
    if (signal === undefined) continue
    if (signal.aborted) {
      controller.abort(signal.reason)
      break
    }
    const onAbort = () => controller.abort(signal.reason)
    // Many requests share one signal by design, and each takes its listener back: no reason for Node.js to warn.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', onAbort, { once: true })
    releases.push(() => signal.removeEventListener('abort', onAbort))
  }
  return {
    controller,
    release: () => {
      for (const release of releases.splice(0)) release()
    },
  }
}
