import type { Backoff } from '../base/backoff.ts'
import { systemClock } from '../base/clock.ts'
import { ApiError, ConnectionError } from './api-error.ts'

const unclear = new Set([500, 502, 503, 504])

/**
 * Whether it is unknown if the server acted: there was no answer, or the answer reports a failure or timeout that may
 * have come after the action.
 */
export const isUnclear = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && unclear.has(error.code))

/**
 * Milliseconds until a retry; undefined if the request must not be retried.
 *
 * - Nothing was sent: any request. But if a plugin gives no credentials, no request is retried, because a user must
 * act.
 * - 429: any request. The server rejects it before acting (API priority and fairness, eviction budgets).
 * - 503 or 500 with Retry-After: only repeatable requests. client-go retries all requests with Retry-After, but a proxy
 * may send 503 for a request that it has forwarded.
 * - 500, 502, 503, 504, and a broken connection: only repeatable requests.
 *
 * The delay is the full Retry-After plus up to a quarter, so that rejected clients do not all return at once.
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
