import { setTimeout as pause } from 'node:timers/promises'

/**
 * Polls until there is an answer. An error counts as no answer yet.
 * @param what name of the awaited thing, for the error's text
 * @param limit milliseconds
 * @throws after the limit, with the last error as cause
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  limit = 600_000,
  interval = 50,
): Promise<T> {
  const end = performance.now() + limit
  let cause: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > end) {
      const reason = cause instanceof Error ? `: ${cause.message}` : ''
      throw new Error(`waited ${limit / 1000} s in vain for ${what}${reason}`, { cause })
    }
    await pause(interval)
  }
}
