import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { mebibyte } from '../base/bytes.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { BodyError, readBody } from './read-body.ts'
import { type Exchange, type Handler, type Reply, type Route, type Routes, text } from './routes.ts'

/** What a server needs to take connections. Both in PEM. */
export interface ServingCredentials {
  cert: string
  key: string
}

export interface ServerLimits {
  /** Bytes of a body; a longer one is 413. Default 4 MiB. */
  longestBody: number
  /**
   * Bytes of all bodies at a time, from their first byte to the answer. Beyond them a request is closed of the address that has most:
   * the one whose body has been under way for longest, if for `bodyTime`; else the last one whose handler gives way, if that is another
   * address. Where there is none, one from anywhere is that has been under way for a second; else the new one is 429. Default 32 MiB.
   */
  bodies: number
  /** Milliseconds that a body has at least. Default 0: where nobody says who he is, who is there first has no right to stay. */
  bodyTime: number
  /**
   * Connections at a time; a new one closes the one that has waited longest without a request, or else for the rest of one. One takes
   * 70 KiB with TLS. Default 2,500.
   */
  connections: number
  /** Connections that stay open between two requests; where there are more, they end with their answers. Default 500. */
  kept: number
  /** Milliseconds for the head of a request, for all of it, and for a handler to answer. */
  headTimeout: number
  requestTimeout: number
  /**
   * Milliseconds without a request after which a connection is closed. Longer than the 90 s of Go's clients, so that it is they who
   * close, and no request runs into a closing connection.
   */
  keepAlive: number
  /** Milliseconds in which nothing moves on a connection with a request under way, after which it is closed: who does not read an answer holds it. */
  inactivity: number
}

export const defaultLimits: ServerLimits = {
  longestBody: 4 * mebibyte,
  bodies: 32 * mebibyte,
  bodyTime: 0,
  connections: 2_500,
  kept: 500,
  headTimeout: 10_000,
  requestTimeout: 30_000,
  keepAlive: 120_000,
  inactivity: 60_000,
}

export interface ServerOptions {
  /** For logs. */
  name: string
  routes: Routes
  host?: string
  /** 0: any that is free. */
  port: number
  /** Leaves out: plain HTTP. Without a certificate no connection is taken until `setCredentials`. `clientCa`: who has a certificate of it is `authorized`; others may connect as well. */
  tls?: Partial<ServingCredentials> & { clientCa?: string }
  limits?: Partial<ServerLimits>
  log: Pick<Logger, 'warn' | 'error'>
  /** Of `retire`. Default: the system's. */
  clock?: Clock
}

/** Milliseconds between two looks at what `retire` has to close. */
const RETIRE_EVERY = 100

/** A server that listens. */
export class HttpServer {
  readonly port: number
  #server: Server | HttpsServer
  #options: ServerOptions
  #tls: ServerOptions['tls']
  #traffic: Traffic

  constructor(server: Server | HttpsServer, options: ServerOptions, traffic: Traffic) {
    this.#server = server
    this.#options = options
    this.#tls = options.tls
    this.#traffic = traffic
    this.port = (server.address() as AddressInfo).port
  }

  /** How many there are now. */
  get connections(): number {
    return this.#traffic.sockets.size
  }

  /** Connections from now on get this certificate; those that are there go on. */
  setCredentials({ cert, key }: ServingCredentials): void {
    this.#setTls({ cert, key })
  }

  /** Clients that connect from now on are `authorized` by certificates of these authorities. Only for a server that asks for them. */
  setClientCa(clientCa: string): void {
    this.#setTls({ clientCa })
  }

  #setTls(changed: ServerOptions['tls']): void {
    this.#tls = { ...this.#tls, ...changed }
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(contextOf(this.#tls))
  }

  /**
   * Goes on answering for so many milliseconds, while clients learn that they have to connect elsewhere: each answer ends its connection.
   * Connections without a request are closed one by one, those that wait longest first: a client takes these last for its next request.
   */
  async retire(within: number): Promise<void> {
    const { waiting } = this.#traffic
    const { clock = systemClock } = this.#options
    this.#traffic.draining = true
    const idle = [...waiting]
    const began = clock.now()
    let closed = 0
    for (let past = 0; past < within; past = clock.now() - began) {
      await sleep(clock, Math.min(RETIRE_EVERY, within - past))
      await afterReading()
      const due = Math.floor((idle.length * (clock.now() - began)) / within)
      for (const [peer, socket] of idle.slice(closed, due)) if (waiting.get(peer) === socket) socket.end()
      closed = Math.max(closed, due)
    }
  }

  /**
   * Takes nothing new, lets what is under way end, and closes what is left after `within` milliseconds. A handler goes on when
   * its client has left, so it is not the connections alone that are waited for.
   */
  async drain(within: number): Promise<void> {
    this.#traffic.draining = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#server.closeAllConnections()
        // Those that never got through their handshake are not known to the HTTP server.
        for (const socket of this.#traffic.sockets.values()) socket.destroy()
        resolve()
      }, within)
    })
    await closed
    await Promise.race([Promise.all(this.#traffic.handling), late])
    clearTimeout(timer)
  }
}

/** What a request has of its body. */
interface Held {
  socket: Socket
  /** A socket that is closed has none any more. */
  address: string
  /** By performance.now(). */
  since: number
  bytes: number
  /** Of a handler that gives way. */
  abort?: AbortController
}

/**
 * Resolves when what has arrived by now was read. After a pause of the thread a timer fires first, and a connection may seem to wait
 * whose request is here already.
 */
const afterReading = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Traffic {
  /** Each answer ends its connection. */
  draining: boolean
  /** By where they come from. */
  sockets: Map<string, Socket>
  /** Those without a request under way: who waits longest is the first. Of a handshake that is not done, the socket below. */
  waiting: Map<string, Socket>
  /** Requests whose body is under way, the oldest first. */
  reading: Set<Held>
  /** Those that handlers have which give way, the oldest first. */
  yielding: Set<Held>
  /** Bytes of the bodies of each address. */
  ofAddress: Map<string, number>
  /** Bytes of all bodies. */
  held: number
  /** Requests that were closed to make room. */
  closed: number
  /** Requests that handlers are at work on. None of them rejects. */
  handling: Set<Promise<void>>
}

/** Only what a certificate and its check need: the defaults of Node.js for ciphers are good ones. */
const contextOf = ({ cert, key, clientCa }: Partial<ServingCredentials> & { clientCa?: string }) => ({
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
  minVersion: 'TLSv1.2' as const,
  ...(clientCa !== undefined && { ca: clientCa }),
})

/**
 * Starts to listen.
 * @throws the error of the socket, such as EADDRINUSE
 */
export async function startServer(options: ServerOptions): Promise<HttpServer> {
  const limits = { ...defaultLimits, ...options.limits }
  const traffic: Traffic = {
    draining: false,
    sockets: new Map(),
    waiting: new Map(),
    reading: new Set(),
    yielding: new Set(),
    ofAddress: new Map(),
    held: 0,
    closed: 0,
    handling: new Set(),
  }
  const common = {
    headersTimeout: limits.headTimeout,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAlive,
    maxHeaderSize: 16 * 1024,
    connectionsCheckingInterval: 5_000,
    // Of a request that waits to be let in, so much is held here; the rest stays with its sender.
    highWaterMark: 16 * 1024,
  }
  const { tls, log, name } = options
  const server =
    tls === undefined
      ? createHttpServer(common)
      : createHttpsServer({
          ...common,
          ...contextOf(tls),
          handshakeTimeout: limits.headTimeout,
          // Asked for, not insisted on: probes of the kubelet have none. Handlers look at `authorized`.
          ...(tls.clientCa !== undefined && { requestCert: true, rejectUnauthorized: false }),
        })
  server.timeout = limits.inactivity
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    traffic.waiting.delete(peerOf(socket))
    response.once('close', () => waits(socket, traffic))
    const handling = respond(request, response, { options, limits, traffic })
      .catch((error) => {
        log.error({ err: error, server: name }, 'an answer could not be sent')
        request.socket.destroy()
      })
      .finally(() => traffic.handling.delete(handling))
    traffic.handling.add(handling)
  })
  server.on('connection', (socket: Socket) => {
    if (traffic.sockets.size < limits.connections || closeOldest(traffic)) follow(socket, traffic)
    else socket.destroy()
  })
  server.on('secureConnection', (socket: Socket) => waits(socket, traffic))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('error', (error) => log.error({ err: error, server: name }, 'the server has an error'))
  return new HttpServer(server, options, traffic)
}

const peerOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${remotePort}`

/** Notes that nothing is asked on it, if it is still there: its end may have come first. */
function waits(socket: Socket, { sockets, waiting }: Traffic): void {
  const peer = peerOf(socket)
  if (sockets.has(peer)) waiting.set(peer, socket)
}

function follow(socket: Socket, { sockets, waiting }: Traffic): void {
  const peer = peerOf(socket)
  sockets.set(peer, socket)
  waiting.set(peer, socket)
  socket.once('close', () => {
    // It may have been closed for another one, which has its port by now.
    if (sockets.get(peer) !== socket) return
    sockets.delete(peer)
    waiting.delete(peer)
  })
}

/**
 * Closes the connection that waits longest. So nobody keeps others out by connections that say nothing, or not all: who has something
 * to say does so at once. @returns whether there was one
 */
function closeOldest(traffic: Traffic): boolean {
  const { sockets, waiting } = traffic
  for (const [peer, socket] of waiting) {
    waiting.delete(peer)
    sockets.delete(peer)
    socket.destroy()
    return true
  }
  return closeReading({ traffic })
}

/** Notes that so many bytes more are held for a request; fewer, where they are negative. */
function hold({ traffic, held, bytes }: { traffic: Traffic; held: Held; bytes: number }): void {
  const all = (traffic.ofAddress.get(held.address) ?? 0) + bytes
  if (all === 0) traffic.ofAddress.delete(held.address)
  else traffic.ofAddress.set(held.address, all)
  held.bytes += bytes
  traffic.held += bytes
}

/** Closes a request before its time. */
function giveUp(traffic: Traffic, held: Held): true {
  traffic.reading.delete(held)
  traffic.yielding.delete(held)
  traffic.sockets.delete(peerOf(held.socket))
  traffic.closed++
  hold({ traffic, held, bytes: -held.bytes })
  held.abort?.abort()
  held.socket.destroy()
  return true
}

/** Closes the request whose body has been under way for longest, and for so many milliseconds. @returns whether there was one */
function closeReading({ traffic, least = 0, which = () => true }: ToClose): boolean {
  const latest = performance.now() - least
  for (const held of traffic.reading) if (held.since <= latest && which(held)) return giveUp(traffic, held)
  return false
}

interface ToClose {
  traffic: Traffic
  least?: number
  which?: (held: Held) => boolean
}

/** Milliseconds: a body that has been under way for so long is a slow one, whoever sends it. */
const SLOW_BODY = 1_000

/**
 * Closes a request so that there is room for another one's body, of the address that has most: so an address keeps no other one out,
 * and all that it sends is given up for itself alone. @returns whether there was one
 */
function makeRoom(traffic: Traffic, newer: Held, bodyTime: number): boolean {
  let most = newer.address
  for (const [address, bytes] of traffic.ofAddress) if (bytes > traffic.ofAddress.get(most)!) most = address
  const isOther = (held: Held): boolean => held !== newer
  const isOfMost = (held: Held): boolean => isOther(held) && held.address === most
  if (closeReading({ traffic, least: bodyTime, which: isOfMost })) return true
  const last = most === newer.address ? undefined : [...traffic.yielding].findLast(isOfMost)
  if (last !== undefined) return giveUp(traffic, last)
  return closeReading({ traffic, least: Math.max(bodyTime, SLOW_BODY), which: isOther })
}

interface Scope {
  options: ServerOptions
  limits: ServerLimits
  traffic: Traffic
}

async function respond(request: IncomingMessage, response: ServerResponse, scope: Scope): Promise<void> {
  const { log, name } = scope.options
  // A client that goes away in the middle is its own affair; without a listener it would end the process.
  request.on('error', () => response.destroy())
  response.on('error', () => request.socket.destroy())
  let reply: Reply
  try {
    reply = await replyTo(request, scope)
  } catch (error) {
    if (request.destroyed && !request.complete) return
    if (error instanceof BodyError) reply = { ...text(error.status, error.message), close: true }
    else {
      log.error({ err: error, server: name, url: request.url }, 'a handler failed')
      reply = text(500, 'This request met an error of the server, which its log tells more about')
    }
  }
  const { traffic, limits } = scope
  send(request, response, reply, traffic.draining || traffic.sockets.size > limits.kept)
}

async function replyTo(request: IncomingMessage, scope: Scope): Promise<Reply> {
  const { options } = scope
  const path = (request.url ?? '/').split('?', 1)[0]!
  const route = routeFor(options.routes, path)
  if (route === undefined) return text(404, `There is nothing at ${path}`)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const handler = route[method as keyof Route]
  if (handler === undefined) {
    const allowed = Object.keys(route).join(', ')
    return { ...text(405, `${path} takes ${allowed}`), headers: { allow: allowed } }
  }
  const exchange: Exchange = { path, headers: request.headers, socket: request.socket }
  // Before the body: whoever may not ask cannot make us hold megabytes.
  const refusal = await handler.admit?.(exchange)
  if (refusal !== undefined) return { ...refusal, close: true }
  const { traffic } = scope
  const { socket } = request
  const held: Held = { socket, address: socket.remoteAddress ?? '', since: performance.now(), bytes: 0 }
  try {
    const body = method === 'GET' ? Buffer.alloc(0) : await bodyOf(request, handler, held, scope)
    if (handler.givesWay) {
      held.abort = new AbortController()
      exchange.signal = held.abort.signal
      traffic.yielding.add(held)
    }
    return await handler.handle(body, exchange)
  } finally {
    traffic.yielding.delete(held)
    hold({ traffic, held, bytes: -held.bytes })
    handler.done?.(exchange)
  }
}

async function bodyOf(request: IncomingMessage, handler: Handler, held: Held, scope: Scope): Promise<Buffer> {
  const { limits, traffic, options } = scope
  traffic.reading.add(held)
  const { bodyWithin } = handler
  const late = bodyWithin === undefined ? undefined : setTimeout(() => giveUp(traffic, held), bodyWithin)
  try {
    return await readBody(request, handler.longestBody ?? limits.longestBody, (bytes) => {
      hold({ traffic, held, bytes })
      while (traffic.held > limits.bodies) {
        if (!makeRoom(traffic, held, limits.bodyTime))
          throw new BodyError(429, 'There is too much to read at a time; come again')
        const { closed } = traffic
        if (Number.isInteger(Math.log10(closed)))
          options.log.warn(
            { server: options.name, count: closed },
            'requests take too much memory together; one of the address that has most was closed, or a slow one',
          )
      }
    })
  } finally {
    clearTimeout(late)
    traffic.reading.delete(held)
  }
}

function routeFor(routes: Routes, path: string): Route | undefined {
  if (Object.hasOwn(routes.exact, path)) return routes.exact[path]
  return routes.under?.find(({ prefix }) => path.startsWith(prefix))?.route
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply, isLast: boolean): void {
  const { body } = reply
  // A body that was not read would be taken for the next request.
  const close = isLast || reply.close === true || !request.complete
  response.writeHead(reply.status, {
    'content-type': reply.type ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    ...reply.headers,
    ...(close && { connection: 'close' }),
  })
  if (request.method === 'HEAD') response.end()
  // A text goes out in one write with the head; a buffer takes a second one, which costs more than the review.
  else if (request.complete) response.end(body)
  else linger(request, response, body)
}

/** Milliseconds for which the rest of a body that is not wanted is read and thrown away. */
const LINGER = 1000

/**
 * Ends an answer that comes before the request's end. Closed at once, with bytes still on their way here, the connection would be
 * reset, and the client would not see why it was refused.
 */
function linger(request: IncomingMessage, response: ServerResponse, body: string | Buffer): void {
  response.write(body)
  const timer = setTimeout(() => response.end(), LINGER)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  request.once('end', end)
  request.once('close', end)
  request.resume()
}
