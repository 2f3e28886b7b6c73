import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** A request, without its body. */
export interface Exchange {
  /** The path without the query. */
  path: string
  headers: IncomingHttpHeaders
  socket: Socket | TLSSocket
  /**
   * Aborted when the server drops this request to make room for other requests. Present only for handlers with
   * `givesWay`.
   */
  signal?: AbortSignal
}

export interface Reply {
  status: number
  body: string | Buffer
  /** Media type of the body. Default: plain text. */
  type?: string
  headers?: Record<string, string>
  /** Whether the connection is closed after the reply. */
  close?: boolean
}

export interface Handler {
  /** Maximum bytes of a body; a longer body gets status 413. Default: the server's limit. */
  maxBody?: number
  /**
   * Milliseconds within which the body must arrive; after this time, the connection is closed. Default: the server's
   * limit for a whole request.
   */
  bodyWithin?: number
  /**
   * Whether the server may drop a request while it is handled, to make room for other requests. The handler must
   * release the body when `signal` is aborted.
   */
  givesWay?: boolean
  /** Called before the body is read. A reply ends the request. */
  admit?(exchange: Exchange): Promise<Reply | undefined> | Reply | undefined
  handle(body: Buffer, exchange: Exchange): Promise<Reply> | Reply
  /** Called when an admitted request ends, whether or not it was handled. */
  done?(exchange: Exchange): void
}

/** Handlers by method. HEAD is answered like GET, without the body. */
export type Route = Partial<Record<'GET' | 'POST' | 'PUT', Handler>>

export interface Routes {
  exact: Readonly<Record<string, Route>>
  /** Routes by the start of the path. They are checked in order if no exact path matches. */
  under?: readonly { prefix: string; route: Route }[]
}

export const text = (status: number, message: string): Reply => ({ status, body: `${message}\n` })

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  body: JSON.stringify(value),
  type: 'application/json',
  headers,
})

/** Refuses a request whose headers do not announce uncompressed JSON. */
export function refuseOtherThanJson({ headers }: Exchange): Reply | undefined {
  const type = /^[^;]*/
    .exec(headers['content-type'] ?? 'missing')![0]
    .trim()
    .toLowerCase()
  if (type !== 'application/json') return text(415, `Content-Type must be application/json, and not ${type}`)
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity'
  return encoding === 'identity'
    ? undefined
    : text(415, `Content-Encoding ${encoding} is not supported; send the body uncompressed`)
}
