import type { Backoff } from '../base/backoff.ts'
import { systemClock } from '../base/clock.ts'
import { ApiError, ConnectionError } from './api-error.ts'

const unclear = new Set([500, 502, 503, 504])

/**
 * Whether the server's action is unknown: no answer came, or one that reports a failure or timeout, perhaps after the
 * action.
 */
export const isUnclear = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && unclear.has(error.code))

/**
 * Milliseconds until a retry, or undefined for none.
 *
 * - Nothing was sent: any request. But not if a plugin has no credentials: that takes a user, or longer than the
 *   deadline.
 * - 429: any request. The server rejects it before acting (API priority and fairness, eviction budgets).
 * - 503 with Retry-After, and 500 with Retry-After from the server's own timeouts: only repeatable requests. client-go
 *   repeats everything on Retry-After; but a proxy in between may send 503 for a request that it forwarded.
 * - 500, 502, 503, 504, and a broken connection: only repeatable requests.
 *
 * A Retry-After is waited for in full, plus up to a quarter, so that rejected clients do not all return at once.
 */
export function retryDelay(
  error: unknown,
  repeatable: boolean,
  backoff: Backoff,
  random: () => number,
): number | undefined {
  if (error instanceof ConnectionError) {
    if (error.code === 'NOT_SENT' || (error.code === 'BROKEN' && repeatable)) return backoff.next()
    return undefined
  }
  if (!(error instanceof ApiError)) return undefined
  if (error.code !== 429 && !(repeatable && isUnclear(error))) return undefined
  if (error.retryAfter === undefined) return backoff.next()
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
