import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { mebibyte } from '../base/bytes.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { BodyError, readBody } from './read-body.ts'
import { type Exchange, type Handler, type Reply, type Route, type Routes, text } from './routes.ts'

/** The certificate and the key of a server, in PEM. */
export interface ServingCredentials {
  cert: string
  key: string
}

export interface ServerLimits {
  /** Maximum bytes of a body. A longer body gets status 413. Default 4 MiB. */
  maxBody: number
  /**
   * Maximum bytes of all bodies together, from their first byte to the answer. Default 32 MiB. If a new body exceeds
   * this limit, the server closes another request (see `makeRoom`), or refuses the new body with status 429.
   */
  bodies: number
  /**
   * Milliseconds for which a request may send its body before the server may close it to make room for other requests.
   * Default 0, because clients are not authenticated by default.
   */
  bodyTime: number
  /**
   * Maximum connections. A further connection replaces the longest idle connection. If none is idle, it replaces the
   * request whose body has been arriving longest. With TLS, each connection takes 70 KiB. Default 2,500.
   */
  connections: number
  /**
   * Number of connections up to which a connection stays open after an answer. With more connections, each answer
   * closes its connection. Default 500.
   */
  kept: number
  /**
   * Milliseconds within which the head of a request must arrive. `requestTimeout`: within which the whole request must
   * arrive.
   */
  headTimeout: number
  requestTimeout: number
  /**
   * Milliseconds without a request after which a connection is closed. Go's clients close idle connections after 90 s.
   * The server waits longer, so that it does not close a connection on which a client is sending a request.
   */
  keepAlive: number
  /**
   * Milliseconds without traffic after which a connection with a request is closed. Otherwise a client that does not
   * read its answer would keep the connection.
   */
  inactivity: number
}

export const defaultLimits: ServerLimits = {
  maxBody: 4 * mebibyte,
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
  /** Name of the server in logs. */
  name: string
  routes: Routes
  host?: string
  /** The port; 0 means any free port. */
  port: number
  /**
   * Absent: plain HTTP. Without a certificate, TLS handshakes fail until `setCredentials` is called. With `clientCa`, a
   * client with a certificate from these authorities is `authorized`; other clients may still connect.
   */
  tls?: Partial<ServingCredentials> & { clientCa?: string }
  limits?: Partial<ServerLimits>
  log: Pick<Logger, 'warn' | 'error'>
  /** The clock that `retire` uses. Default: the system's clock. */
  clock?: Clock
}

/** Milliseconds between two checks for connections that `retire` must close. */
const RETIRE_EVERY = 100

/** A listening server. */
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

  /** Number of current connections. */
  get connections(): number {
    return this.#traffic.sockets.size
  }

  /** Uses this certificate for new connections. Existing connections continue. */
  setCredentials({ cert, key }: ServingCredentials): void {
    this.#setTls({ cert, key })
  }

  /** Uses these authorities for new connections. Call this only for a server that was started with `clientCa`. */
  setClientCa(clientCa: string): void {
    this.#setTls({ clientCa })
  }

  #setTls(changed: ServerOptions['tls']): void {
    this.#tls = { ...this.#tls, ...changed }
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(contextOf(this.#tls))
  }

  /**
   * Answers requests for `within` milliseconds more, and closes each connection after its answer, so that clients
   * connect to another server. Idle connections are closed one by one, the longest idle first, because its client is
   * least likely to use it.
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
   * Stops accepting connections, waits for running requests, and closes the remaining connections after `within`
   * milliseconds. It also waits for handlers, which continue when their client disconnects.
   */
  async drain(within: number): Promise<void> {
    this.#traffic.draining = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#server.closeAllConnections()
        // The HTTP server does not know connections with an unfinished handshake, so close them here.
        for (const socket of this.#traffic.sockets.values()) socket.destroy()
        resolve()
      }, within)
    })
    await closed
    await Promise.race([Promise.all(this.#traffic.handling), late])
    clearTimeout(timer)
  }
}

/** A request whose body takes memory. */
interface Held {
  socket: Socket
  /** The address of the client, stored because a closed socket no longer has an address. */
  address: string
  /** The start of the body, by performance.now(). */
  since: number
  bytes: number
  /** Aborts the handler. Set if the handler gives way. */
  abort?: AbortController
}

/**
 * Resolves when all data that has arrived is read. After a pause of the thread, timers fire before sockets are read.
 * Without this wait, a connection would seem idle although its request has arrived.
 */
const afterReading = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Traffic {
  /** Whether the server shuts down. If so, each answer closes its connection. */
  draining: boolean
  /** All connections, by remote address and port. */
  sockets: Map<string, Socket>
  /** Idle connections, the longest idle first. During a TLS handshake, the entry is the underlying TCP socket. */
  waiting: Map<string, Socket>
  /** Requests whose bodies are arriving, the oldest first. */
  reading: Set<Held>
  /** Requests whose handlers run and give way, the oldest first. */
  yielding: Set<Held>
  /** Bytes of all bodies, by remote address. */
  ofAddress: Map<string, number>
  /** Bytes of all bodies. */
  held: number
  /** Number of requests that were closed to make room. */
  closed: number
  /** Requests that are being answered. These promises never reject. */
  handling: Set<Promise<void>>
}

/** Sets only the certificates and the minimum TLS version. The default ciphers of Node.js are good. */
const contextOf = ({ cert, key, clientCa }: Partial<ServingCredentials> & { clientCa?: string }) => ({
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
  minVersion: 'TLSv1.2' as const,
  ...(clientCa !== undefined && { ca: clientCa }),
})

/**
 * Starts to listen.
 * @throws the socket's error, such as EADDRINUSE
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
    // Maximum bytes of a body that are read before the admission of its request.
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
          // Certificates are optional, because the kubelet's probes have no certificate. Handlers check `authorized`.
          ...(tls.clientCa !== undefined && { requestCert: true, rejectUnauthorized: false }),
        })
  server.timeout = limits.inactivity
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    traffic.waiting.delete(peerOf(socket))
    response.once('close', () => waits(socket, traffic))
    const handling = respond(request, response, { options, limits, traffic })
      .catch((error) => {
        log.error({ err: error, server: name }, 'cannot send an answer')
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
  server.on('error', (error) => log.error({ err: error, server: name }, 'the HTTP server failed'))
  return new HttpServer(server, options, traffic)
}

const peerOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${remotePort}`

/** Marks the connection as idle, unless it is closed already. */
function waits(socket: Socket, { sockets, waiting }: Traffic): void {
  const peer = peerOf(socket)
  if (sockets.has(peer)) waiting.set(peer, socket)
}

function follow(socket: Socket, { sockets, waiting }: Traffic): void {
  const peer = peerOf(socket)
  sockets.set(peer, socket)
  waiting.set(peer, socket)
  socket.once('close', () => {
    // The server may have removed this connection already, and a newer connection may have the same address and port.
    if (sockets.get(peer) !== socket) return
    sockets.delete(peer)
    waiting.delete(peer)
  })
}

/**
 * Closes the longest idle connection, so that clients that send nothing cannot keep other clients out. A normal client
 * sends its request at once.
 * @returns whether a connection was closed
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

/** Adds to the bytes of a request's body; negative bytes are subtracted. */
function hold({ traffic, held, bytes }: { traffic: Traffic; held: Held; bytes: number }): void {
  const all = (traffic.ofAddress.get(held.address) ?? 0) + bytes
  if (all === 0) traffic.ofAddress.delete(held.address)
  else traffic.ofAddress.set(held.address, all)
  held.bytes += bytes
  traffic.held += bytes
}

/** Closes a request before its answer. */
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

/**
 * Closes the request whose body has been arriving longest, if it started at least `least` milliseconds ago.
 * @returns whether a request was closed
 */
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

/** Milliseconds after which a body counts as slow, whatever address sends it. */
const SLOW_BODY = 1_000

/**
 * Closes a request to make room for a new body. First choice is a request of the address whose bodies take most memory,
 * then any slow body. So one address cannot keep other addresses out.
 * @returns whether a request was closed
 */
function makeRoom(traffic: Traffic, newer: Held, bodyTime: number): boolean {
  let max = newer.address
  for (const [address, bytes] of traffic.ofAddress) if (bytes > traffic.ofAddress.get(max)!) max = address
  const isOther = (held: Held): boolean => held !== newer
  const isOfMost = (held: Held): boolean => isOther(held) && held.address === max
  if (closeReading({ traffic, least: bodyTime, which: isOfMost })) return true
  const last = max === newer.address ? undefined : [...traffic.yielding].findLast(isOfMost)
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
  // A client may disconnect at any time. Without a listener, the error would end the process.
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
      reply = text(500, 'The server failed on this request; see its log')
    }
  }
  const { traffic, limits } = scope
  send(request, response, reply, traffic.draining || traffic.sockets.size > limits.kept)
}

async function replyTo(request: IncomingMessage, scope: Scope): Promise<Reply> {
  const { options } = scope
  const path = (request.url ?? '/').split('?', 1)[0]!
  const route = routeFor(options.routes, path)
  if (route === undefined) return text(404, `This server does not have the path ${path}`)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const handler = route[method as keyof Route]
  if (handler === undefined) {
    const allowed = Object.keys(route).join(', ')
    return { ...text(405, `${path} accepts ${allowed}`), headers: { allow: allowed } }
  }
  const exchange: Exchange = { path, headers: request.headers, socket: request.socket }
  // Check before the body is read: the body of an unauthorized client must not take memory.
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
    return await readBody(request, handler.maxBody ?? limits.maxBody, (bytes) => {
      hold({ traffic, held, bytes })
      while (traffic.held > limits.bodies) {
        if (!makeRoom(traffic, held, limits.bodyTime))
          throw new BodyError(429, 'The server is reading too many requests; try again later')
        const { closed } = traffic
        if (Number.isInteger(Math.log10(closed)))
          options.log.warn(
            { server: options.name, count: closed },
            'requests take too much memory; closed a slow request, or a request of the address with the most memory',
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
  // Close the connection if the body was not read completely. Otherwise the rest of the body would be parsed as the
  // next request.
  const close = isLast || reply.close === true || !request.complete
  response.writeHead(reply.status, {
    'content-type': reply.type ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    ...reply.headers,
    ...(close && { connection: 'close' }),
  })
  if (request.method === 'HEAD') response.end()
  // Node.js sends a string together with the head. A buffer needs a second write, which takes more time than an
  // admission review.
  else if (request.complete) response.end(body)
  else linger(request, response, body)
}

/** Milliseconds for which the rest of a refused body is read and discarded. */
const LINGER = 1000

/**
 * Sends an answer before the whole request has arrived, and keeps reading for a while. If the connection were closed
 * while bytes still arrive, it would be reset, and the client would not see the answer.
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
