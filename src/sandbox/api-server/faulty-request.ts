import { type Clock, sleep } from '../../base/clock.ts'
import type { Fault, Faults } from './faults.ts'
import { failure } from './handlers/handle-request.ts'
import { requestInfo } from './http/request-info.ts'
import type { ApiRequest, ApiResponse, UserInfo, WatchResponse } from './request.ts'
import { conflict, expired, internalError, STALE_OBJECT, serviceUnavailable, tooManyRequests } from './status.ts'
import type { WatchRecord } from './watch/watch-record.ts'

/** The connection of a request breaks: what a client in process sees instead of a broken socket. */
export class ConnectionResetError extends Error {
  override readonly name = 'ConnectionResetError'
  readonly code = 'ECONNRESET'

  constructor() {
    super('the connection was reset')
  }
}

/** Lets the faults that strike a request have their way with it. @throws {ConnectionResetError} */
export async function withFaults(
  faults: Faults,
  clock: Clock,
  request: ApiRequest,
  user: UserInfo,
  handle: () => Promise<ApiResponse>,
): Promise<ApiResponse> {
  const info = requestInfo(request)
  const struck = faults.strike({ ...info, user: user.name })
  for (const fault of struck) {
    if (fault.type === 'latency') await sleep(clock, fault.milliseconds)
    if (fault.type === 'reset' && !fault.after) throw new ConnectionResetError()
    if (fault.type === 'status') return failure(statusError(fault, info.name, info))
    if (fault.type === 'expired' && info.verb === 'list')
      return failure(expired('The resourceVersion for the provided list is too old.'))
  }
  const response = await handle()
  if (struck.some((fault) => fault.type === 'reset')) {
    discard(response)
    throw new ConnectionResetError()
  }
  return response.type === 'watch' ? struck.reduce(withWatchFault, response) : response
}

/** Nobody will read the answer: what goes on behind it ends. */
function discard(response: ApiResponse): void {
  if (response.type === 'upgrade') response.backend.destroy()
  else if (response.type === 'watch' || response.type === 'stream') response.close?.()
}

function statusError(
  { code, retryAfterSeconds = 1 }: Extract<Fault, { type: 'status' }>,
  name: string,
  about: { group: string; resource: string },
): Error {
  switch (code) {
    case 409:
      return conflict(about, name, STALE_OBJECT)
    case 429:
      return tooManyRequests('Too many requests, please try again later.', retryAfterSeconds)
    case 500:
      return internalError('an injected fault')
    case 503:
      return serviceUnavailable('apiserver is shutting down')
  }
}

function withWatchFault(response: WatchResponse, fault: Fault): WatchResponse {
  switch (fault.type) {
    case 'watch-cut':
      return { ...response, events: cut(response, fault.events, fault.reset ?? false) }
    case 'half-open':
      return halfOpen(response, fault.events)
    case 'expired':
      response.close()
      return { ...response, events: once({ type: 'ERROR', object: expired('too old resource version').status }) }
    default:
      return response
  }
}

async function* once(record: WatchRecord): AsyncGenerator<WatchRecord> {
  yield record
}

async function* cut(response: WatchResponse, events: number, reset: boolean): AsyncGenerator<WatchRecord> {
  try {
    let left = events
    if (left > 0)
      for await (const record of response.events) {
        yield record
        if (--left === 0) break
      }
  } finally {
    response.close()
  }
  if (reset) throw new ConnectionResetError()
}

/** After so many events nothing comes any more, until the reader goes away. */
function halfOpen(response: WatchResponse, events: number): WatchResponse {
  let release: () => void = () => undefined
  const closed = new Promise<void>((resolve) => {
    release = resolve
  })
  async function* silent(): AsyncGenerator<WatchRecord> {
    let left = events
    if (left > 0)
      for await (const record of response.events) {
        yield record
        if (--left === 0) break
      }
    response.close()
    await closed
  }
  const close = (): void => {
    response.close()
    release()
  }
  return { ...response, events: silent(), close }
}
