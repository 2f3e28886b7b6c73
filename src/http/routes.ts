import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** What a handler may know about a request besides its body. */
export interface Exchange {
  /** Without the query. */
  path: string
  headers: IncomingHttpHeaders
  socket: Socket | TLSSocket
  /** Aborted when the request is dropped in favour of others, if its handler gives way. */
  signal?: AbortSignal
}

export interface Reply {
  status: number
  body: string | Buffer
  /** Default: plain text. */
  type?: string
  headers?: Record<string, string>
  /** The connection ends with the reply. */
  close?: boolean
}

export interface Handler {
  /** Maximum bytes; a longer body gets 413. Default: the server's limit. */
  maxBody?: number
  /** Milliseconds for a body to arrive; a slower one is closed. Default: the server's time for a whole request. */
  bodyWithin?: number
  /** Its work on a body may be dropped in favour of others: it must release the body when `signal` is aborted. */
  givesWay?: boolean
  /** Called before the body is read. A reply ends the request. */
  admit?(exchange: Exchange): Promise<Reply | undefined> | Reply | undefined
  handle(body: Buffer, exchange: Exchange): Promise<Reply> | Reply
  /** Called when an admitted request ends, handled or not. */
  done?(exchange: Exchange): void
}

/** By method. HEAD is GET without the body. */
export type Route = Partial<Record<'GET' | 'POST' | 'PUT', Handler>>

export interface Routes {
  exact: Readonly<Record<string, Route>>
  /** Checked in order if no exact path matches. */
  under?: readonly { prefix: string; route: Route }[]
}

export const text = (status: number, message: string): Reply => ({ status, body: `${message}\n` })

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  body: JSON.stringify(value),
  type: 'application/json',
  headers,
})

/** A reply for a body that is not JSON, by its Content-Type or Content-Encoding. */
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
