import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { largestBody } from '../handlers/decode-body.ts'
import { failure } from '../handlers/handle-request.ts'
import type { ApiRequest, ApiResponse, UpgradeResponse, UserInfo } from '../request.ts'
import type { ApiServer } from '../server.ts'
import { requestEntityTooLarge, unauthorized } from '../status.ts'
import { certificateUser } from './certificate-user.ts'

/** Passes requests from sockets to the server, and passes the answers back. */
export class HttpAdapter {
  private readonly server: ApiServer

  constructor(server: ApiServer) {
    this.server = server
  }

  async handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    try {
      await write(outgoing, await this.answer(incoming, await readBody(incoming)))
    } catch {
      // The answer cannot reach the client: the client is gone, or an injected fault must break the connection.
      outgoing.destroy()
    }
  }

  /** Handles a request to switch the connection to another protocol. Other requests are answered as usual. */
  async upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    try {
      const response = await this.answer(incoming, new Uint8Array())
      if (response.type === 'upgrade') return join(socket, head, response)
      const outgoing = new ServerResponse(incoming)
      outgoing.assignSocket(socket as Socket)
      outgoing.shouldKeepAlive = false
      outgoing.once('finish', () => socket.end())
      await write(outgoing, response)
    } catch {
      // The answer cannot reach the client, as in `handle`.
      socket.destroy()
    }
  }

  private async answer(incoming: IncomingMessage, body: Uint8Array | 'too large'): Promise<ApiResponse> {
    const user = this.userOf(incoming)
    if (!user) return failure(unauthorized())
    if (body === 'too large') return failure(requestEntityTooLarge(`limit is ${largestBody}`))
    return this.server.handle(requestOf(incoming, body), user)
  }

  private userOf(incoming: IncomingMessage): UserInfo | undefined {
    const socket = incoming.socket as TLSSocket
    const certificate = socket.getPeerX509Certificate?.()
    // Ignore a certificate of another authority, as if the client had sent none.
    if (certificate && socket.authorized) {
      const { commonName, organizations } = certificateUser(certificate)
      return { name: commonName, groups: [...organizations, 'system:authenticated'] }
    }
    const token = /^bearer +(\S+)$/i.exec(incoming.headers.authorization ?? '')?.[1]
    return token === undefined ? undefined : this.server.context.tokens.verify(token)?.user
  }
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array | 'too large'> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    // Read the rest, but do not store it: a client whose connection is closed while it sends does not see the answer.
    if (size <= largestBody) chunks.push(chunk)
  }
  return size > largestBody ? 'too large' : Buffer.concat(chunks)
}

function requestOf({ url = '/', method = 'GET', headers }: IncomingMessage, body: Uint8Array): ApiRequest {
  const [path = '/', ...query] = url.split('?')
  const texts = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value])
  return {
    method,
    path,
    query: new URLSearchParams(query.join('?')),
    headers: Object.fromEntries(texts) as Record<string, string>,
    ...(body.length > 0 ? { body } : {}),
  }
}

async function write(outgoing: ServerResponse, response: ApiResponse): Promise<void> {
  outgoing.setHeader('Cache-Control', 'no-cache, private')
  if (response.type === 'json') outgoing.setHeader('Content-Type', 'application/json')
  for (const [name, value] of Object.entries(response.headers))
    outgoing.setHeader(name, typeof value === 'string' ? value : [...value])
  outgoing.statusCode = response.code
  switch (response.type) {
    case 'json':
      return void outgoing.end(`${JSON.stringify(response.body)}\n`)
    case 'text':
      return void outgoing.end(response.text)
    case 'watch':
      return writeStream(outgoing, response.events, response.encode, response.close)
    case 'stream':
      return writeStream(outgoing, response.chunks, (chunk) => chunk, response.close)
    case 'upgrade':
      // The request does not allow an upgrade.
      response.backend.destroy()
      outgoing.statusCode = 400
      outgoing.end()
  }
}

/** Resolves when the client can receive more data, or the connection has ended. */
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

async function writeStream<T>(
  outgoing: ServerResponse,
  parts: AsyncIterable<T>,
  encode: (part: T) => Uint8Array,
  close: (() => void) | undefined,
): Promise<void> {
  outgoing.once('close', () => close?.())
  // Send the headers at once, so that a client knows that its watch has started.
  outgoing.flushHeaders()
  for await (const part of parts) {
    if (outgoing.destroyed) break
    if (!outgoing.write(encode(part))) await roomIn(outgoing)
  }
  if (!outgoing.destroyed) outgoing.end()
}

/** Joins two connections. When one connection ends, the other ends, too. */
export function join(socket: Duplex, head: Buffer, { headers, backend, head: backendHead }: UpgradeResponse): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.write(`${['HTTP/1.1 101 Switching Protocols', ...lines].join('\r\n')}\r\n\r\n`)
  if (backendHead.length > 0) socket.write(backendHead)
  if (head.length > 0) backend.write(head)
  backend.on('error', () => socket.destroy())
  // Do not read further data of the client, because reading would keep the connection open.
  backend.once('close', () => socket.end(() => socket.destroy()))
  // If the client is gone, it will not read the rest.
  for (const event of ['end', 'close']) socket.once(event, () => backend.destroy())
  socket.pipe(backend)
  backend.pipe(socket)
}
