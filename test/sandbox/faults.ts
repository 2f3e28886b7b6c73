import { type Clock, sleep } from '../../src/base/clock.ts'
import type { Random } from '../../src/base/random.ts'
import { failure } from '../../src/sandbox/api-server/handlers/handle-request.ts'
import { type RequestInfo, requestInfo } from '../../src/sandbox/api-server/http/request-info.ts'
import type { ApiRequest, ApiResponse, UserInfo, WatchResponse } from '../../src/sandbox/api-server/request.ts'
import type { ApiServer } from '../../src/sandbox/api-server/server.ts'
import {
  conflict,
  expired,
  internalError,
  STALE_OBJECT,
  serviceUnavailable,
  tooManyRequests,
} from '../../src/sandbox/api-server/status.ts'
import type { WatchRecord } from '../../src/sandbox/api-server/watch/watcher.ts'

/** A fault for the requests that a rule matches. */
export type Fault =
  | { readonly type: 'latency'; readonly milliseconds: number }
  /** Answers 409, 429, 500 or 503; the request has no effect. */
  | { readonly type: 'status'; readonly code: 409 | 429 | 500 | 503; readonly retryAfterSeconds?: number }
  /** The connection breaks; `after` states whether the request has taken effect. */
  | { readonly type: 'reset'; readonly after?: boolean }
  /** A watch ends after some events; for 0 it ends at once. */
  | { readonly type: 'watch-cut'; readonly events: number; readonly reset?: boolean }
  /** A watch stays open but sends nothing after some events, neither bookmarks nor its end. */
  | { readonly type: 'half-open'; readonly events: number }
  /** 410: the server calls the version of a list or watch too old. */
  | { readonly type: 'expired' }

export interface FaultRule {
  readonly verb?: string
  /** The plural. */
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly user?: string
  /** Probability of the fault, 0 to 1; default 1. */
  readonly probability?: number
  /** Maximum number of times that the fault occurs. */
  readonly times?: number
  readonly fault: Fault
}

const filters = ['verb', 'resource', 'subresource', 'namespace', 'user'] as const

/** Makes requests fail on purpose. A seeded random source selects the requests, so a run can be repeated. */
export class Faults {
  private rules: { readonly rule: FaultRule; left: number }[] = []
  private readonly random: Random
  /** Number of faults so far, by type. */
  readonly struck = new Map<Fault['type'], number>()

  constructor(random: Random) {
    this.random = random
  }

  /**
   * Adds a rule.
   * @returns a function that removes the rule
   */
  add(rule: FaultRule): () => void {
    const active = { rule, left: rule.times ?? Number.POSITIVE_INFINITY }
    this.rules.push(active)
    return () => {
      this.rules = this.rules.filter((one) => one !== active)
    }
  }

  clear(): void {
    this.rules = []
  }

  /** The faults that apply to a request, in the order of their rules. */
  strike(target: Readonly<Record<(typeof filters)[number], string>>): Fault[] {
    if (this.rules.length === 0) return []
    const found: Fault[] = []
    for (const active of this.rules) {
      const { rule } = active
      if (active.left <= 0 || filters.some((name) => rule[name] !== undefined && rule[name] !== target[name])) continue
      if (rule.probability !== undefined && this.random() >= rule.probability) continue
      active.left--
      this.struck.set(rule.fault.type, (this.struck.get(rule.fault.type) ?? 0) + 1)
      found.push(rule.fault)
    }
    return found
  }
}

const known = new WeakMap<ApiServer, Faults>()

/** Adds the faults to a server; they apply to its requests from now on. */
export function faultsOf(server: ApiServer): Faults {
  const { clock, random } = server.context
  const faults = known.get(server) ?? new Faults(random)
  known.set(server, faults)
  server.intercept = (request, user, handle) => withFaults(faults, clock, request, user, handle)
  return faults
}

/** The connection of a request broke. An in-process client gets this error in place of a broken socket. */
export class ConnectionResetError extends Error {
  override readonly name = 'ConnectionResetError'
  readonly code = 'ECONNRESET'

  constructor() {
    super('the connection was reset')
  }
}

/**
 * Applies the faults to a request.
 * @throws {ConnectionResetError} if a fault breaks its connection
 */
async function withFaults(
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
    if (fault.type === 'status') return failure(statusError(fault, info))
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

/** Ends the pending work of an answer that no client will read. */
function discard(response: ApiResponse): void {
  if (response.type === 'upgrade') response.backend.destroy()
  else if (response.type === 'watch' || response.type === 'stream') response.close?.()
}

function statusError({ code, retryAfterSeconds = 1 }: Extract<Fault, { type: 'status' }>, info: RequestInfo): Error {
  if (code === 409) return conflict(info, info.name, STALE_OBJECT)
  if (code === 429) return tooManyRequests('Too many requests, please try again later.', retryAfterSeconds)
  return code === 500 ? internalError('an injected fault') : serviceUnavailable('apiserver is shutting down')
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

async function* first(events: AsyncIterable<WatchRecord>, count: number): AsyncGenerator<WatchRecord> {
  let left = count
  if (left > 0)
    for await (const record of events) {
      yield record
      if (--left === 0) break
    }
}

async function* cut(response: WatchResponse, events: number, reset: boolean): AsyncGenerator<WatchRecord> {
  try {
    yield* first(response.events, events)
  } finally {
    response.close()
  }
  if (reset) throw new ConnectionResetError()
}

/** After this number of events the watch sends no more until the reader disconnects. */
function halfOpen(response: WatchResponse, events: number): WatchResponse {
  let release: () => void = () => undefined
  const closed = new Promise<void>((resolve) => {
    release = resolve
  })
  async function* silent(): AsyncGenerator<WatchRecord> {
    yield* first(response.events, events)
    response.close()
    await closed
  }
  const close = (): void => {
    response.close()
    release()
  }
  return { ...response, events: silent(), close }
}
