import type { Duplex } from 'node:stream'
import type { JsonValue } from './schema/json.ts'
import type { WatchRecord } from './watch/watcher.ts'

/** The authenticated user of a request. */
export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** A request without its socket. Header names are in lower case. */
export interface ApiRequest {
  readonly method: string
  /** The path without the query. */
  readonly path: string
  readonly query?: URLSearchParams | Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /**
   * The body as received bytes. A client in the same process passes the value itself, which the server does not change.
   */
  readonly body?: Uint8Array | JsonValue
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

interface Answer<Type extends string, Code extends number> {
  readonly type: Type
  readonly code: Code
  readonly headers: Headers
}

/** A complete answer, as a JSON value. */
export interface JsonResponse extends Answer<'json', number> {
  readonly body: JsonValue
}

/** A complete answer that is not JSON, such as health, logs and some refusals. */
export interface TextResponse extends Answer<'text', number> {
  readonly text: string
}

/** An answer without an end, for a watch. A reader that stops early must call `close`. */
export interface WatchResponse extends Answer<'watch', 200> {
  readonly events: AsyncIterable<WatchRecord>
  /** Returns the line of an event. The line is created once for all watchers that receive it. */
  encode(record: WatchRecord): Uint8Array
  close(): void
}

/** An answer of bytes without a known end, for a log that is followed. */
export interface StreamResponse extends Answer<'stream', 200> {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Called when the reader is gone, even if no more data arrives. */
  close?(): void
}

/** An answer that hands the connection over to another program, such as a terminal. */
export interface UpgradeResponse extends Answer<'upgrade', 101> {
  readonly backend: Duplex
  /** Bytes that the other program has already sent. */
  readonly head: Uint8Array
}

export type ApiResponse = JsonResponse | TextResponse | WatchResponse | StreamResponse | UpgradeResponse

export const json = (code: number, body: JsonValue, headers: Headers = {}): JsonResponse => ({
  type: 'json',
  code,
  headers,
  body,
})

export const text = (code: number, content: string): TextResponse => ({
  type: 'text',
  code,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  text: content,
})

export const queryOf = ({ query }: ApiRequest): URLSearchParams =>
  query instanceof URLSearchParams ? query : new URLSearchParams(query ?? {})

/** The plain text of Go's HTTP server for an unserved path. */
export const pageNotFound = (): TextResponse => text(404, '404 page not found\n')
