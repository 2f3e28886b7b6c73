import type { Backoff } from '../base/backoff.ts'
import { systemClock } from '../base/clock.ts'
import { ApiError, ConnectionError } from './api-error.ts'

const unclear = new Set([500, 502, 503, 504])

/**
 * True if the server may have acted: there was no answer, or the answer reports a failure or a timeout that may have
 * come after the action.
 */
export const isUnclear = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && unclear.has(error.code))

/** Milliseconds until a retry; undefined if the request must not be retried. */
export function retryDelay(
  error: unknown,
  repeatable: boolean,
  backoff: Backoff,
  random: () => number,
): number | undefined {
  if (error instanceof ConnectionError) {
    // A request that was not sent can be repeated. After NO_CREDENTIALS a user must act, so a retry does not help.
    if (error.code === 'NOT_SENT' || (error.code === 'BROKEN' && repeatable)) return backoff.next()
    return undefined
  }
  if (!(error instanceof ApiError)) return undefined
  // The server rejects with 429 before it acts (API priority and fairness, eviction budgets), so any request can be
  // repeated. client-go does the same for any Retry-After, but a proxy may send 503 for a request it has forwarded.
  if (error.code !== 429 && !(repeatable && isUnclear(error))) return undefined
  if (error.retryAfter === undefined) return backoff.next()
  // Up to a quarter is added, so that rejected clients do not all return at once.
  return error.retryAfter * 1000 * (1 + random() / 4)
}

/** Seconds in a Retry-After header, which may contain a date instead (RFC 9110, 10.2.3). */
export function parseRetryAfter(
  header: string | string[] | undefined,
  wallClock: () => number = systemClock.wall,
): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d+$/.test(text)) return Number(text)
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, (date - wallClock()) / 1000)
}
