import { setMaxListeners } from 'node:events'

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
