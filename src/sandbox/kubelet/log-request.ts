import type { ReadLogOptions } from './read-log.ts'

export type LogRequest = Omit<ReadLogOptions, 'follow'> & { readonly follow: boolean; readonly previous: boolean }

/**
 * Reads the query of a request for a log, as the API server hands on PodLogOptions.
 * @param now milliseconds since the epoch
 * @throws {RangeError} naming the parameter
 */
export function parseLogRequest(query: URLSearchParams, now: number): LogRequest {
  const tailLines = count(query, 'tailLines', 0)
  const limitBytes = count(query, 'limitBytes', 1)
  const sinceSeconds = count(query, 'sinceSeconds', 1)
  const sinceTime = query.get('sinceTime')
  const since = sinceSeconds === undefined ? timeOf(sinceTime) : now - sinceSeconds * 1000
  const stream = query.get('stream')?.toLowerCase()
  return {
    follow: isTrue(query, 'follow'),
    previous: isTrue(query, 'previous'),
    timestamps: isTrue(query, 'timestamps'),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(since !== undefined && { since }),
    ...((stream === 'stdout' || stream === 'stderr') && { stream }),
  }
}

const isTrue = (query: URLSearchParams, name: string): boolean => ['true', '1'].includes(query.get(name) ?? '')

function count(query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${name}: ${JSON.stringify(text)} must be a whole number from ${least} on`)
  return value
}

function timeOf(text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new RangeError(`sinceTime: ${JSON.stringify(text)} must be a time of RFC 3339`)
  return time
}
