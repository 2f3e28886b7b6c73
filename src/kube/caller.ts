import PQueue from 'p-queue'
import { Backoff } from '../base/backoff.ts'
import { isBug } from '../base/bug.ts'
import { mebibyte } from '../base/bytes.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { linkedController, untilAborted } from './abort.ts'
import { statusOf } from './answers.ts'
import { ApiError, ConnectionError, type RequestContext } from './api-error.ts'
import type { Connection, Credentials } from './connection.ts'
import { ExchangeFailure, type ExchangeSink, exchange, type ResponseHeaders } from './exchange.ts'
import { PluginError } from './exec-plugin.ts'
import { type Fence, FencedError } from './fence.ts'
import { type Limiter, PriorityLimiter, type RequestClass } from './limiter.ts'
import type { Status } from './objects.ts'
import type { ApiRequest, Verb } from './requests.ts'
import { parseRetryAfter, retryDelay } from './retry.ts'

/** Options of a single call. */
export interface CallOptions {
  signal?: AbortSignal | undefined
  /** Milliseconds for the whole call, including the wait for a turn, all attempts and their delays. Default 30,000. */
  deadline?: number | undefined
  /** Maximum attempts. Default: the caller's. */
  attempts?: number | undefined
  /** Default: `read` for get and list, `status` for the status subresource, `policy` for other writes. */
  class?: RequestClass | undefined
  /** Only for requests that write. */
  fence?: Fence | undefined
}

/** One attempt of a call. */
export interface Attempt {
  verb: Verb
  group: string
  resource: string
  subresource: string | undefined
  class: RequestClass
  /** 1 for the first. */
  attempt: number
}

/** Observes attempts for metrics. It must not throw, because the error would reach the code that made the request. */
export interface RequestObserver {
  started?(attempt: Attempt): void
  /**
   * `code`: the HTTP status, or a ConnectionErrorCode. `waited`: seconds in the limiter. `seconds`: seconds of the
   * attempt after that.
   */
  ended?(attempt: Attempt, outcome: { code: number | string; seconds: number; waited: number }): void
}

export interface CallerOptions {
  connection: Connection
  limiter?: Limiter
  clock?: Clock
  random?: Random
  observer?: RequestObserver
  /**
   * Maximum bytes of an answer, except for watches. A longer answer is an error. Default MAX_ANSWER. The server limits
   * requests to 3 MiB.
   */
  maxAnswer?: number
  /** Maximum attempts of a call. Default 8; the deadline usually ends it earlier. */
  attempts?: number
  /** Milliseconds for a call with its retries, unless the call sets its own deadline. Default 30,000. */
  deadline?: number
}

interface Ways {
  pool(credentials: Credentials): Credentials['requests']
  waited: number
  class: RequestClass
  attempt: number
  fence: Fence | undefined
  signal: AbortSignal
}

/**
 * Maximum bytes of an answer. A parsed list takes several times its size in memory, and tenants decide how long lists
 * are. A longer list is read in pages.
 */
export const MAX_ANSWER = 16 * mebibyte
/**
 * Maximum lists that are read at the same time. At its start a client reads a dozen lists, and each may have the
 * maximum size.
 */
export const LISTS_AT_ONCE = 2

/** Sends API requests, and retries them where this is safe. */
export class Caller {
  readonly clock: Clock
  readonly random: Random
  #options: Required<Omit<CallerOptions, 'observer'>> & { observer: RequestObserver }
  readonly #lists = new PQueue({ concurrency: LISTS_AT_ONCE })

  constructor(options: CallerOptions) {
    const defaults = {
      clock: systemClock,
      random: Math.random,
      observer: {},
      maxAnswer: MAX_ANSWER,
      attempts: 8,
      deadline: 30_000,
    }
    const limiter = options.limiter ?? new PriorityLimiter()
    this.#options = { ...defaults, ...options, limiter }
    this.clock = this.#options.clock
    this.random = this.#options.random
  }

  /**
   * Sends a request with retries, and returns the parsed answer. @throws {ApiError} the server refused
   * @throws {ConnectionError} there is no usable answer
   * @throws {FencedError} the fence stopped the request
   */
  async call(request: ApiRequest, options: CallOptions = {}): Promise<unknown> {
    const { clock, random } = this
    const fence = isWrite(request.verb) ? options.fence : undefined
    const { controller, release } = linkedController(options.signal, fence?.signal)
    const deadline = options.deadline ?? this.#options.deadline
    const end = clock.now() + deadline
    const context = { verb: request.verb, path: request.path }
    const timer = clock.after(deadline, () =>
      controller.abort(new ConnectionError('DEADLINE', context, `${deadline} ms`)),
    )
    const backoff = new Backoff({ first: 200, max: 10_000, random })
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const { signal } = controller
          const once = (): Promise<unknown> => this.#once(request, options, { fence, signal, attempt })
          // Only lists of the class `read` can be long. Lists of the class `stranger` are short, and the limiter sends
          // them last.
          const isLong = request.verb === 'list' && (options.class ?? classOf(request)) === 'read'
          return await (isLong ? this.#lists.add(once, { signal }) : once())
        } catch (error) {
          const delay = retryDelay(error, request.repeatable, backoff, random)
          if (
            delay === undefined ||
            attempt >= (options.attempts ?? this.#options.attempts) ||
            clock.now() + delay >= end
          )
            throw error
          await sleep(clock, delay, controller.signal)
        }
      }
    } finally {
      timer.cancel()
      release()
    }
  }

  async #once(
    request: ApiRequest,
    options: CallOptions,
    { fence, signal, attempt }: Pick<Ways, 'fence' | 'signal' | 'attempt'>,
  ): Promise<unknown> {
    fence?.check()
    const of = options.class ?? classOf(request)
    const { limiter } = this.#options
    const waited = await limiter.turn(of, signal)
    const chunks: Uint8Array[] = []
    let length = 0
    const context = { verb: request.verb, path: request.path }
    try {
      await this.#authenticated(
        request,
        { pool: ({ requests }) => requests, waited, class: of, attempt, fence, signal },
        () => ({
          head: () => {
            chunks.length = 0
            length = 0
          },
          data: (chunk) => {
            length += chunk.length
            const bound = this.#options.maxAnswer
            if (length > bound) throw new ConnectionError('TOO_LARGE', context, `more than ${bound} bytes`)
            chunks.push(chunk)
          },
        }),
      )
    } finally {
      limiter.ended?.()
    }
    return parseAnswer(Buffer.concat(chunks).toString('utf8'), context)
  }

  /**
   * Sends a request and passes on its answer as it arrives, without limiter, deadline or retries. Resolves when the
   * answer ends.
   */
  async stream(request: ApiRequest, sink: ExchangeSink, signal: AbortSignal): Promise<void> {
    const ways: Ways = {
      pool: ({ watches }) => watches,
      waited: 0,
      class: 'read',
      attempt: 1,
      fence: undefined,
      signal,
    }
    await this.#authenticated(request, ways, () => sink)
  }

  /** Stops the limiter, all requests and all connections. */
  async close(): Promise<void> {
    this.#options.limiter.close()
    await this.#options.connection.close()
  }

  /**
   * Sends the request. If the server refuses the credentials, it has not acted on the request: loads the credentials
   * again, and retries once.
   */
  async #authenticated(request: ApiRequest, ways: Ways, sink: () => ExchangeSink): Promise<void> {
    const credentials = await this.#credentials(request, ways.signal)
    try {
      return await this.#send(request, ways, credentials, sink())
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 401) throw error
      this.#options.connection.renew(credentials.serial)
    }
    return this.#send(request, ways, await this.#credentials(request, ways.signal), sink())
  }

  /** Loads the credentials. It observes the signal, because an exec plugin may wait for a user, or hang. */
  async #credentials({ verb, path }: ApiRequest, signal: AbortSignal): Promise<Credentials> {
    try {
      return await untilAborted(this.#options.connection.credentials(), signal)
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      if (cause instanceof PluginError)
        throw new ConnectionError('NO_CREDENTIALS', { verb, path }, cause.message, { cause })
      if (isBug(cause)) throw cause
      throw new ConnectionError('NOT_SENT', { verb, path }, `no credentials: ${(cause as Error).message}`, { cause })
    }
  }

  async #send(request: ApiRequest, ways: Ways, credentials: Credentials, sink: ExchangeSink): Promise<void> {
    const { connection, observer } = this.#options
    const { resource, subresource, verb } = request
    const { fence, signal, waited, attempt } = ways
    const about = { verb, group: resource.group, resource: resource.plural, subresource, class: ways.class, attempt }
    const answer = new Answer(request, sink)
    const start = this.clock.now()
    let code: number | string = 0
    observer.started?.(about)
    try {
      await exchange(
        {
          dispatcher: ways.pool(credentials),
          origin: connection.origin,
          method: request.method,
          path: connection.basePath + request.path,
          headers: headersOf(request, credentials),
          body: request.body && JSON.stringify(request.body),
          signal,
          beforeSend: fence && (() => fence.check()),
        },
        answer,
      )
      code = answer.code
      answer.throwIfRefused()
    } catch (failure) {
      const error = failure instanceof ExchangeFailure ? toError(failure, answer.context, signal) : failure
      code = codeOf(error)
      throw error
    } finally {
      observer.ended?.(about, { code, seconds: (this.clock.now() - start) / 1000, waited })
    }
  }
}

/** Maximum bytes that are kept of a refusal. A Status is short, and the end of a proxy's HTML page is not needed. */
const MAX_REFUSAL = 64 * 1024

/** Passes on a successful answer, and keeps a refusal for the error. */
class Answer implements ExchangeSink {
  code = 0
  readonly context: RequestContext
  #sink: ExchangeSink
  #refusal: Uint8Array[] = []
  #length = 0
  #retryAfter: number | undefined

  constructor({ verb, path }: ApiRequest, sink: ExchangeSink) {
    this.context = { verb, path }
    this.#sink = sink
  }

  head(status: number, headers: ResponseHeaders): void {
    this.code = status
    this.#retryAfter = parseRetryAfter(headers['retry-after'])
    if (this.#good) this.#sink.head(status, headers)
  }

  data(chunk: Uint8Array): void {
    if (this.#good) this.#sink.data(chunk)
    else {
      this.#length += chunk.length
      if (this.#length <= MAX_REFUSAL) this.#refusal.push(chunk)
    }
  }

  get #good(): boolean {
    return this.code >= 200 && this.code < 300
  }

  throwIfRefused(): void {
    if (this.#good) return
    throw new ApiError(
      this.code,
      parseStatus(Buffer.concat(this.#refusal).toString('utf8')),
      this.context,
      this.#retryAfter,
    )
  }
}

const isWrite = (verb: Verb): boolean => verb !== 'get' && verb !== 'list' && verb !== 'watch'

function classOf({ verb, subresource }: ApiRequest): RequestClass {
  if (!isWrite(verb)) return 'read'
  return subresource === 'status' ? 'status' : 'policy'
}

function headersOf(request: ApiRequest, credentials: Credentials): Record<string, string> {
  const headers: Record<string, string> = { ...credentials.headers, accept: request.accept ?? 'application/json' }
  if (request.contentType !== undefined) headers['content-type'] = request.contentType
  return headers
}

/**
 * Errors of our own code are thrown unchanged. All other errors become a ConnectionError, which shows whether the
 * server may have received the request.
 */
function toError(failure: ExchangeFailure, context: RequestContext, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  const { cause, message, sent, own } = failure
  if (own) return cause
  return new ConnectionError(sent ? 'BROKEN' : 'NOT_SENT', context, message, { cause })
}

function codeOf(error: unknown): number | string {
  if (error instanceof ApiError || error instanceof ConnectionError) return error.code
  return error instanceof FencedError ? 'FENCED' : 'ABORTED'
}

function parseAnswer(text: string, context: RequestContext): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConnectionError('NOT_JSON', context, JSON.stringify(text.slice(0, 80)), { cause })
  }
}

function parseStatus(text: string): Status {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && (parsed as Status).kind === 'Status') return statusOf(parsed)
  } catch {
    // The answer is from a proxy, or from a handler that answers in plain text. Its text is the message.
  }
  return { message: text.trim().slice(0, 500) }
}
