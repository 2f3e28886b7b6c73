/**
 * Settles as the promise does, or rejects with the signal's reason as soon as it is aborted. Later results of the
 * promise, including a rejection, are ignored.
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
 * A controller that is aborted with any of the signals. Call `release` when the work is over: AbortSignal.any of
 * Node.js 20 keeps an entry in its sources for their whole life, and a process has few sources and many requests.
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
 * Controllers that are aborted with a signal. One listener serves all: adding a listener visits every existing one, and
 * thousands of requests share a signal.
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
