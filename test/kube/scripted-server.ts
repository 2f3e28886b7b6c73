import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A received request. */
export interface Seen {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
  /** The client aborted the request, or its connection broke. */
  readonly gone: boolean
}

/** How to answer one request. */
export type Answer = (response: ServerResponse, seen: Seen) => void

/** An API server that answers as a test scripts it, over real sockets. */
export class ScriptedServer {
  readonly seen: Seen[] = []
  /** Answers one request each, in the order of arrival; afterwards `otherwise` answers. */
  script: Answer[] = []
  otherwise: Answer = status(404, 'NotFound', 'nothing is scripted')
  readonly sockets = new Set<Socket>()
  connections = 0
  #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => this.#take(request, response, Buffer.concat(chunks).toString()))
    })
    this.#server.keepAliveTimeout = 60_000
    this.#server.on('connection', (socket) => {
      this.connections++
      this.sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  static async start(...script: Answer[]): Promise<ScriptedServer> {
    const server = new ScriptedServer()
    server.script = script
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The requests of one kind: `GET /api/v1/pods`, without the query. */
  requests(line: string): Seen[] {
    return this.seen.filter(({ method, path }) => `${method} ${path}` === line)
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #take(request: IncomingMessage, response: ServerResponse, body: string): void {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url)
    const seen: Seen = {
      method: request.method ?? '',
      path: pathname,
      query: searchParams,
      headers: request.headers,
      body,
      get gone() {
        return response.destroyed && !response.writableFinished
      },
    }
    this.seen.push(seen)
    const answer = this.script.shift() ?? this.otherwise
    answer(response, seen)
  }
}

/** An answer with a complete JSON body. */
export const json =
  (body: unknown, code = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

/** An answer with a Status that refuses the request. */
export const status = (code: number, reason: string, message = reason, headers: Record<string, string> = {}): Answer =>
  json({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message }, code, headers)

/** Resets the connection before the answer starts. */
export const reset: Answer = (response) => {
  ;(response.socket as Socket).resetAndDestroy()
}

/** Never answers. */
export const silence: Answer = () => undefined

/**
 * Parts of the answer to a watch, written one by one; `end` ends it, `cut` resets the connection, `hang` leaves it
 * open.
 */
export const stream =
  (parts: readonly (string | Uint8Array)[], then: 'end' | 'cut' | 'hang' = 'hang'): Answer =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    for (const part of parts) {
      response.write(part)
      // Writes the parts in separate turns, so that they arrive separately.
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (then === 'end') response.end()
    if (then === 'cut') setTimeout(() => (response.socket as Socket | null)?.resetAndDestroy(), 5)
  }

/** Waits until the condition is true; the timeout is long, so only a condition that never becomes true fails. */
export async function until(what: string, condition: () => boolean, seconds = 120): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${seconds} seconds, and it did not come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
