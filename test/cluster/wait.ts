import { setTimeout as pause } from 'node:timers/promises'

/**
 * Asks again and again until there is an answer. An error counts as none yet.
 * @param what is waited for, in words, for the error
 * @param limit milliseconds
 * @throws when the limit has passed, with the last error as cause
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
