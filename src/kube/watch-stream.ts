import { mebibyte } from '../base/bytes.ts'
import { readEvent, type WatchEvent } from './answers.ts'
import { ApiError, ConnectionError } from './api-error.ts'
import type { Caller } from './caller.ts'
import { LineCutter, LineTooLong } from './json-lines.ts'
import { apiVersionOf, type KubeObject, type ResourceRef } from './objects.ts'
import { type WatchOptions, watchRequest } from './requests.ts'

export interface WatchSink<T> {
  /** Called when the server has accepted the watch. */
  opened?(): void
  /** Called when bytes arrive. */
  alive?(): void
  /** Called for each changed object. If it throws, the watch ends with this error. */
  changed(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void
  /** Called when the server has sent all changes up to this version. */
  bookmark?(resourceVersion: string): void
}

/**
 * Maximum bytes of a line. By default, an object in etcd has at most 1.5 MiB, and JSON escapes make it at most six
 * times as long.
 */
export const MAX_LINE = 16 * mebibyte

/** Implements ApiClient.watch. Throws an ERROR event as an ApiError. */
export async function runWatch<T extends KubeObject>(
  caller: Caller,
  ref: ResourceRef<T>,
  options: WatchOptions & { maxLine?: number },
  sink: WatchSink<T>,
  signal: AbortSignal,
): Promise<void> {
  const request = watchRequest(ref, options)
  const context = { verb: request.verb, path: request.path }
  const apiVersion = apiVersionOf(ref)
  const take = (line: string) => {
    const event = parseEvent<T>(line, context)
    if (event.type === 'ERROR') throw new ApiError(event.status.code ?? 500, event.status, context)
    if (event.type === 'BOOKMARK') return sink.bookmark?.(event.version)
    event.object.apiVersion ??= apiVersion
    event.object.kind ??= ref.kind
    sink.changed(event.type, event.object)
  }
  const lines = new LineCutter(options.maxLine ?? MAX_LINE, take)
  const push = (chunk: Uint8Array) => {
    sink.alive?.()
    try {
      lines.push(chunk)
    } catch (error) {
      throw error instanceof LineTooLong ? new ConnectionError('TOO_LARGE', context, error.message) : error
    }
  }
  await caller.stream(request, { head: () => sink.opened?.(), data: push }, signal)
  if (lines.held > 0)
    throw new ConnectionError('BROKEN', context, `the watch ended after ${lines.held} bytes of a line`)
}

function parseEvent<T extends KubeObject>(line: string, context: { verb: string; path: string }): WatchEvent<T> {
  let event: unknown
  try {
    event = JSON.parse(line)
  } catch (cause) {
    throw new ConnectionError('NOT_JSON', context, JSON.stringify(line.slice(0, 80)), { cause })
  }
  return readEvent(event, context)
}
