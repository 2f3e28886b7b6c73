/**
 * Settles like the promise, or rejects with the signal's reason as soon as the signal is aborted. Then the result of
 * the promise is ignored, even if it rejects.
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
 * A controller that is aborted as soon as one of the signals is aborted. Call `release` when the work is over.
 * AbortSignal.any of Node.js 20 has no release: each request would leave an entry in signals that live as long as the
 * process.
 */
export function linkedController(...signals: (AbortSignal | undefined)[]): {
  controller: AbortController
  release(): void
} {
  const controller = new AbortController()
  const joined: Set<AbortController>[] = []
  for (const signal of signals) {
    if (signal === undefined) continue
    if (signal.aborted) {
      controller.abort(signal.reason)
      break
    }
    const linked = linkedTo(signal)
    linked.add(controller)
    joined.push(linked)
  }
  return {
    controller,
    release: () => {
      for (const linked of joined.splice(0)) linked.delete(controller)
    },
  }
}

const links = new WeakMap<AbortSignal, Set<AbortController>>()

/**
 * The controllers that are aborted with a signal. They share one listener, because thousands of requests share a
 * signal, and adding a listener takes longer the more listeners the signal has.
 */
function linkedTo(signal: AbortSignal): Set<AbortController> {
  let linked = links.get(signal)
  if (linked === undefined) {
    const all = new Set<AbortController>()
    signal.addEventListener(
      'abort',
      () => {
        for (const controller of all) controller.abort(signal.reason)
      },
      { once: true },
    )
    links.set(signal, all)
    linked = all
  }
  return linked
}
