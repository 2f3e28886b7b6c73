import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** What a handler may know of a request besides its body. */
export interface Exchange {
  /** Without the query. */
  path: string
  headers: IncomingHttpHeaders
  socket: Socket | TLSSocket
  /** Aborted when the request is given up for others, where its handler gives way. */
  signal?: AbortSignal
}

export interface Reply {
  status: number
  body: string | Buffer
  /** Default plain text. */
  type?: string
  headers?: Record<string, string>
  /** The connection ends with it. */
  close?: boolean
}

export interface Handler {
  /** Bytes; a longer body is 413. Default: the server's limit. */
  longestBody?: number
  /** Milliseconds in which a body has to be there; a slower one is closed. Default: as long as the server gives a whole request. */
  bodyWithin?: number
  /** What it does with a body may be given up for those of others: it lets go of the body when `signal` is aborted. */
  givesWay?: boolean
  /** Asked before the body is read. A reply ends it there. */
  admit?(exchange: Exchange): Promise<Reply | undefined> | Reply | undefined
  handle(body: Buffer, exchange: Exchange): Promise<Reply> | Reply
  /** Told when a request that was admitted is over, whether it was handled, or its client left before. */
  done?(exchange: Exchange): void
}

/** By method. HEAD is GET without the body. */
export type Route = Partial<Record<'GET' | 'POST' | 'PUT', Handler>>

export interface Routes {
  exact: Readonly<Record<string, Route>>
  /** Looked at in their order, when no exact path is it. */
  under?: readonly { prefix: string; route: Route }[]
}

export const text = (status: number, message: string): Reply => ({ status, body: `${message}\n` })

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  body: JSON.stringify(value),
  type: 'application/json',
  headers,
})

/** A reply for a body that is not what its handler reads, by its Content-Type or Content-Encoding. */
export function refuseOtherThanJson({ headers }: Exchange): Reply | undefined {
  const type = /^[^;]*/
    .exec(headers['content-type'] ?? 'missing')![0]
    .trim()
    .toLowerCase()
  if (type !== 'application/json') return text(415, `Content-Type must be application/json, and not ${type}`)
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity'
  return encoding === 'identity' ? undefined : text(415, `Content-Encoding ${encoding} is not read here; send it plain`)
}
