import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { stringify } from 'yaml'
import { largestBody } from '../handlers/decode-body.ts'
import { failure } from '../handlers/handle-request.ts'
import type {
  ApiRequest,
  ApiResponse,
  JsonResponse,
  StreamResponse,
  TextResponse,
  UpgradeResponse,
  UserInfo,
  WatchResponse,
} from '../request.ts'
import type { ApiServer } from '../server.ts'
import { requestEntityTooLarge, unauthorized } from '../status.ts'
import { certificateUser } from './certificate-user.ts'

const compress = promisify(gzip)
/** Bytes from which on an answer is compressed, as in the API server. */
const smallestCompressed = 128 * 1024

/** Carries requests of sockets to the server, and its answers back. */
export class HttpAdapter {
  private readonly server: ApiServer

  constructor(server: ApiServer) {
    this.server = server
  }

  async handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    outgoing.setHeader('Audit-Id', headerOf(incoming, 'audit-id') || this.server.context.uuid())
    outgoing.setHeader('Cache-Control', 'no-cache, private')
    try {
      const response = await this.answer(incoming, await readBody(incoming))
      await write(incoming, outgoing, response)
    } catch {
      // The client is gone, or a fault says that it is to see a broken connection: there is nobody to tell.
      outgoing.destroy()
    }
  }

  /** A request that wants the connection for something else than HTTP. Few get it; the others are answered as usual. */
  async upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    try {
      const response = await this.answer(incoming, new Uint8Array())
      if (response.type === 'upgrade') join(socket, head, response)
      else await writeTo(socket, incoming, response)
    } catch {
      socket.destroy()
    }
  }

  private async answer(incoming: IncomingMessage, body: Uint8Array | 'too large'): Promise<ApiResponse> {
    const user = this.userOf(incoming)
    if (!user) return failure(unauthorized())
    if (body === 'too large') return failure(requestEntityTooLarge(`limit is ${largestBody}`))
    const request = requestOf(incoming, body)
    const as = impersonated(incoming)
    if (!as) return this.server.handle(request, user)
    const refused = this.server.impersonationRefusal(request, user, as)
    return refused ?? this.server.handle(request, as)
  }

  private userOf(incoming: IncomingMessage): UserInfo | undefined {
    const socket = incoming.socket as TLSSocket
    const certificate = socket.getPeerX509Certificate?.()
    // A certificate of another authority is as good as none, but says that its holder is nobody we know.
    if (certificate && !socket.authorized) return undefined
    const headers = { authorization: headerOf(incoming, 'authorization') }
    return this.server.context.authenticator.request(headers, certificate && certificateUser(certificate))
  }
}

const headerOf = (incoming: IncomingMessage, name: string): string | undefined => {
  const value = incoming.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** The user as whom a request wants to be answered: kubectl's `--as` and `--as-group`. */
function impersonated(incoming: IncomingMessage): UserInfo | undefined {
  const name = headerOf(incoming, 'impersonate-user')
  if (name === undefined) return undefined
  const given = incoming.headersDistinct['impersonate-group'] ?? []
  const common = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'
  return { name, groups: [...new Set([...given, ...accountGroups(name), common])] }
}

function accountGroups(name: string): string[] {
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name) ?? []
  return namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array | 'too large'> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    // Read on without keeping it: a client that is cut off while it sends does not see the answer.
    if (size <= largestBody) chunks.push(chunk)
  }
  return size > largestBody ? 'too large' : Buffer.concat(chunks)
}

function requestOf(incoming: IncomingMessage, body: Uint8Array): ApiRequest {
  const url = incoming.url ?? '/'
  const mark = url.indexOf('?')
  const headers: Record<string, string> = {}
  for (const name of Object.keys(incoming.headers)) headers[name] = headerOf(incoming, name) ?? ''
  return {
    method: incoming.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    headers,
    ...(body.length > 0 ? { body } : {}),
  }
}

async function write(incoming: IncomingMessage, outgoing: ServerResponse, response: ApiResponse): Promise<void> {
  for (const [name, value] of Object.entries(response.headers))
    outgoing.setHeader(name, typeof value === 'string' ? value : [...value])
  outgoing.statusCode = response.code
  switch (response.type) {
    case 'json':
    case 'text':
      return writeWhole(incoming, outgoing, response)
    case 'watch':
      return writeWatch(outgoing, response)
    case 'stream':
      return writeStream(outgoing, response)
    case 'upgrade':
      // Nobody asked for it in a way that can be granted.
      response.backend.destroy()
      outgoing.statusCode = 400
      outgoing.end()
  }
}

/** An ordinary answer on a connection that was to be upgraded; it is the last one there. */
async function writeTo(socket: Duplex, incoming: IncomingMessage, response: ApiResponse): Promise<void> {
  const outgoing = new ServerResponse(incoming)
  outgoing.assignSocket(socket as Socket)
  outgoing.shouldKeepAlive = false
  outgoing.once('finish', () => socket.end())
  await write(incoming, outgoing, response)
}

/** Makes one connection of two, which end together. */
export function join(socket: Duplex, head: Buffer, { headers, backend, head: begun }: UpgradeResponse): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.write(`${['HTTP/1.1 101 Switching Protocols', ...lines].join('\r\n')}\r\n\r\n`)
  if (begun.length > 0) socket.write(begun)
  if (head.length > 0) backend.write(head)
  backend.on('error', () => socket.destroy())
  backend.once('close', () => socket.end())
  // A client that has gone does not come back for what is left.
  for (const event of ['end', 'close']) socket.once(event, () => backend.destroy())
  socket.pipe(backend)
  backend.pipe(socket)
}

async function writeWhole(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: JsonResponse | TextResponse,
): Promise<void> {
  if (response.type === 'json' && !outgoing.hasHeader('content-type'))
    outgoing.setHeader('Content-Type', 'application/json')
  const bytes = Buffer.from(response.type === 'json' ? bodyText(incoming, outgoing, response) : response.text)
  const packed = bytes.length >= smallestCompressed && /\bgzip\b/.test(headerOf(incoming, 'accept-encoding') ?? '')
  if (packed) {
    outgoing.setHeader('Content-Encoding', 'gzip')
    outgoing.appendHeader('Vary', 'Accept-Encoding')
  }
  if (response.code === 304) {
    outgoing.end()
    return
  }
  const content = packed ? await compress(bytes, { level: 1 }) : bytes
  outgoing.setHeader('Content-Length', content.length)
  outgoing.end(incoming.method === 'HEAD' ? undefined : content)
}

/** JSON, or YAML for whoever names that first. */
function bodyText(incoming: IncomingMessage, outgoing: ServerResponse, { body }: JsonResponse): string {
  const first = /application\/(json|yaml)|\*\/\*/.exec(headerOf(incoming, 'accept') ?? '')?.[1]
  if (first !== 'yaml') return `${JSON.stringify(body)}\n`
  outgoing.setHeader('Content-Type', 'application/yaml')
  return stringify(body, { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 0 })
}

/** Comes when more can be written, or nothing ever again. */
function roomIn(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const events = ['drain', 'close', 'error']
    const end = (): void => {
      for (const event of events) outgoing.off(event, end)
      resolve()
    }
    for (const event of events) outgoing.on(event, end)
  })
}

async function writeWatch(outgoing: ServerResponse, response: WatchResponse): Promise<void> {
  outgoing.once('close', () => response.close())
  outgoing.flushHeaders()
  // The first bytes go at once, so that a client knows that it watches before anything happens.
  for await (const record of response.events) {
    if (outgoing.destroyed) break
    if (!outgoing.write(response.encode(record))) await roomIn(outgoing)
  }
  if (!outgoing.destroyed) outgoing.end()
}

async function writeStream(outgoing: ServerResponse, response: StreamResponse): Promise<void> {
  outgoing.once('close', () => response.close?.())
  outgoing.flushHeaders()
  for await (const chunk of response.chunks) {
    if (outgoing.destroyed) break
    if (!outgoing.write(chunk)) await roomIn(outgoing)
  }
  if (!outgoing.destroyed) outgoing.end()
}
