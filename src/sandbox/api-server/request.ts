import type { Duplex } from 'node:stream'
import type { JsonValue } from './schema/json.ts'
import type { WatchRecord } from './watch/watcher.ts'

/** Who asks, as authentication found out. */
export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** A request without its socket. Header names are in lower case. */
export interface ApiRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query?: URLSearchParams | Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes as they came, or, in process, the value itself, which the server does not change. */
  readonly body?: Uint8Array | JsonValue
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

interface Answer<Type extends string, Code extends number> {
  readonly type: Type
  readonly code: Code
  readonly headers: Headers
}

/** A whole answer, as a JSON value. */
export interface JsonResponse extends Answer<'json', number> {
  readonly body: JsonValue
}

/** A whole answer that is not JSON: health, logs, some refusals. */
export interface TextResponse extends Answer<'text', number> {
  readonly text: string
}

/** An answer that goes on. Whoever stops reading early calls `close`. */
export interface WatchResponse extends Answer<'watch', 200> {
  readonly events: AsyncIterable<WatchRecord>
  /** The line of an event as it goes over the wire; made once for all watchers that see it alike. */
  encode(record: WatchRecord): Uint8Array
  close(): void
}

/** An answer that goes on as bytes: a log that is followed. */
export interface StreamResponse extends Answer<'stream', 200> {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Called when the reader is gone, also while nothing comes. */
  close?(): void
}

/** The connection goes over to somebody else: the other end of a terminal. */
export interface UpgradeResponse extends Answer<'upgrade', 101> {
  readonly backend: Duplex
  /** What it has sent already. */
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

/** The plain text with which Go's HTTP server answers a path that nothing serves. */
export const pageNotFound = (): TextResponse => text(404, '404 page not found\n')
