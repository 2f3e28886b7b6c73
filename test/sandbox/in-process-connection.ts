import type { IncomingHttpHeaders } from 'node:http'
import { Dispatcher } from 'undici'
import type { Clock } from '../../src/base/clock.ts'
import type { Random } from '../../src/base/random.ts'
import { ApiClient } from '../../src/kube/client.ts'
import type { Connection, Credentials } from '../../src/kube/connection.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import type { ApiRequest, ApiResponse, Headers } from '../../src/sandbox/api-server/request.ts'
import type { InProcessClient } from '../../src/sandbox/api-server/server.ts'
import { ConnectionResetError } from './faults.ts'

/**
 * A connection to the embedded API server in the same process. It uses no sockets and therefore no real time, so under
 * a simulated clock every run is the same. Otherwise it works as over HTTP. Bodies pass as bytes in both directions, so
 * client and server share no objects.
 */
export class InProcessConnection implements Connection {
  readonly origin = 'http://embedded.invalid'
  readonly basePath = ''
  readonly namespace: string
  readonly #dispatcher: InProcessDispatcher
  readonly #headers: Readonly<Record<string, string>>

  /** @param client the server's client for one user; the user is fixed, so the connection sends no credentials */
  constructor(client: InProcessClient, { namespace = 'default', userAgent = 'varmor' } = {}) {
    this.namespace = namespace
    this.#dispatcher = new InProcessDispatcher(client)
    this.#headers = { 'user-agent': userAgent }
  }

  async credentials(): Promise<Credentials> {
    return { serial: 0, headers: this.#headers, requests: this.#dispatcher, watches: this.#dispatcher }
  }

  renew(): void {
    // The user is fixed, so there are no credentials to reload.
  }

  /**
   * Acts as if the process died: running requests fail, although the server may complete them, and later requests are
   * not sent.
   */
  close(): Promise<void> {
    return this.#dispatcher.destroy()
  }
}

/** A client of the embedded API server, for the user of `client`. */
export const inProcessClient = (client: InProcessClient, time: { clock: Clock; random: Random }): ApiClient =>
  new ApiClient({ connection: new InProcessConnection(client), limiter: unlimited, ...time })

type Handler = Dispatcher.DispatchHandler

/** The part of undici's dispatcher that `exchange` uses. */
class InProcessDispatcher extends Dispatcher {
  readonly #client: InProcessClient
  readonly #running = new Set<RunningRequest>()
  #closed: Error | undefined

  constructor(client: InProcessClient) {
    super()
    this.#client = client
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    const running = new RunningRequest(handler)
    this.#running.add(running)
    void this.#run(requestOf(options), running).finally(() => this.#running.delete(running))
    return true
  }

  override close(...given: [] | [callback: () => void]): Promise<void> {
    return this.destroy(...given)
  }

  override async destroy(...given: unknown[]): Promise<void> {
    const error = given.find((one) => one instanceof Error)
    this.#closed ??= error ?? new Error('The connection is closed')
    for (const running of this.#running) running.abort(this.#closed)
    const callback = given.find((one) => typeof one === 'function')
    callback?.()
  }

  async #run(request: ApiRequest, running: RunningRequest): Promise<void> {
    // The answer never arrives inside the call of dispatch, as with a socket.
    await null
    try {
      if (this.#closed !== undefined) throw this.#closed
      running.begin()
      if (running.aborted) return
      await running.answer(await this.#client(request))
    } catch (error) {
      running.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

function requestOf({ method, path, headers, body }: Dispatcher.DispatchOptions): ApiRequest {
  const [name = '', query = ''] = cutAt(path, '?')
  return {
    method,
    path: name,
    query: new URLSearchParams(query),
    headers: headers as Record<string, string>,
    ...(typeof body === 'string' && { body: Buffer.from(body) }),
  }
}

function cutAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** Bytes that the handler receives at once, about as many as a socket delivers. */
const CHUNK = 64 * 1024

/** One request and its answer. */
class RunningRequest implements Dispatcher.DispatchController {
  paused = false
  reason: Error | null = null
  readonly #handler: Handler
  #over = false
  #resume: () => void = () => undefined
  #endAnswer: () => void = () => undefined

  constructor(handler: Handler) {
    this.#handler = handler
  }

  get aborted(): boolean {
    return this.reason !== null
  }

  begin(): void {
    this.#handler.onRequestStart?.(this, {})
  }

  abort(reason: Error): void {
    if (this.#over) return
    this.#over = true
    this.reason = reason
    this.#endAnswer()
    this.resume()
    this.#handler.onResponseError?.(this, reason)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.#resume()
  }

  /** Passes the answer on until it ends or the reader disconnects. */
  async answer(response: ApiResponse): Promise<void> {
    if (response.type === 'upgrade') {
      response.backend.destroy()
      throw new ConnectionResetError()
    }
    if ('close' in response) this.#endAnswer = () => response.close?.()
    if (this.#over) return this.#endAnswer()
    this.#handler.onResponseStart?.(this, response.code, headersOf(response.headers))
    for await (const chunk of chunksOf(response)) {
      if (this.paused) await new Promise<void>((resume) => (this.#resume = resume))
      if (this.#over) return
      this.#handler.onResponseData?.(this, chunk)
    }
    if (this.#over) return
    this.#over = true
    this.#handler.onResponseEnd?.(this, {})
  }
}

const headersOf = (headers: Headers): IncomingHttpHeaders =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      typeof value === 'string' ? value : value.join(', '),
    ]),
  )

async function* chunksOf(response: Exclude<ApiResponse, { type: 'upgrade' }>): AsyncGenerator<Buffer> {
  switch (response.type) {
    case 'json':
      return yield* cut(Buffer.from(`${JSON.stringify(response.body)}\n`))
    case 'text':
      return yield* cut(Buffer.from(response.text))
    case 'watch':
      for await (const record of response.events) yield asBuffer(response.encode(record))
      return
    case 'stream':
      for await (const chunk of response.chunks) yield asBuffer(chunk)
  }
}

function* cut(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK)
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
