import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import type { WatchResponse } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'
import { expired } from '../status.ts'
import { CompactedError } from '../store/store.ts'
import { EventLines } from '../watch/event-lines.ts'
import { Watcher, type WatchRecord, type WatchSpec } from '../watch/watcher.ts'
import { candidates, checkNotAhead, parseRevision, type Selection, scopeOf, selectionOf } from './list-objects.ts'
import type { ListOptions } from './options.ts'
import { tableOf, wantsTable } from './representation.ts'

/**
 * Minimum milliseconds of a watch without its own timeout. Such a watch ends after half an hour to an hour, which
 * distributes clients over servers.
 */
const minTimeout = 30 * 60_000

/** @throws {ApiStatusError} */
export function watchObjects(call: ResourceCall, options: ListOptions): WatchResponse {
  const { context, resource } = call
  const selection = selectionOf(resource, options)
  const spec: WatchSpec = {
    resource: resource.storage,
    namespace: scopeOf(call),
    trigger: selection.trigger,
    bookmarks: options.bookmarks,
    matches: selection.everything ? () => true : selection.matches,
  }
  const watcher = start(call, spec, selection, options)
  const seconds = options.timeoutSeconds
  const timer = context.clock.after(seconds > 0 ? seconds * 1000 : minTimeout * (1 + context.random()), () => {
    if (spec.bookmarks) watcher.push(context.hub.bookmark())
    watcher.end()
  })
  return {
    type: 'watch',
    code: 200,
    headers: { 'content-type': 'application/json' },
    events: events(call, watcher, () => timer.cancel()),
    encode: wantsTable(call) ? tableEncoder(call) : encoder(call),
    close: () => {
      timer.cancel()
      watcher.cut()
    },
  }
}

function start(call: ResourceCall, spec: WatchSpec, selection: Selection, options: ListOptions): Watcher {
  const { hub, store } = call.context
  const { resourceVersion, sendInitialEvents } = options
  const revision = parseRevision(resourceVersion)
  checkNotAhead(call, revision)
  if (sendInitialEvents ?? revision === 0) {
    // Collect the objects now, and not while the client reads. If the client requests it, a bookmark marks their end.
    const found: WatchRecord[] = []
    for (const object of candidates(call, spec.namespace, selection))
      if (spec.matches(object)) found.push({ type: 'ADDED', object })
    if (sendInitialEvents && options.bookmarks) found.push(hub.bookmark({ 'k8s.io/initial-events-end': 'true' }))
    return hub.watch(spec, found)
  }
  try {
    return hub.watch(spec, revision === 0 ? [] : hub.backlogAfter(spec, revision))
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
    // As in the real server, the answer is 200, and its only event is the error 410.
    const { status } = expired(`too old resource version: ${revision} (${store.floor(spec.resource)})`)
    const watcher = new Watcher(spec, [{ type: 'ERROR', object: status }], 0, () => undefined)
    watcher.end()
    return watcher
  }
}

async function* events(call: ResourceCall, watcher: Watcher, done: () => void): AsyncGenerator<WatchRecord> {
  try {
    for await (const record of watcher) yield converted(call, record)
  } finally {
    done()
  }
}

/**
 * The record in the requested version. An unchanged record is returned as the same object, so that its line is shared.
 */
function converted({ resource }: ResourceCall, record: WatchRecord): WatchRecord {
  if (record.type === 'ERROR' || record.type === 'BOOKMARK') return record
  const object = fromStorage(resource, record.object)
  return object === record.object ? record : { type: record.type, object }
}

/**
 * The lines of watch events, shared by all servers of this process: a line depends only on the frozen object and the
 * form.
 */
const lines = new EventLines()

const bookmarkOf = ({ resource: { kind, apiVersion } }: ResourceCall, { metadata }: KubeObject): KubeObject => ({
  kind,
  apiVersion,
  metadata,
})

const encoder =
  (call: ResourceCall) =>
  (record: WatchRecord): Uint8Array =>
    lines.line(record, call.resource.apiVersion, () =>
      record.type === 'BOOKMARK' ? bookmarkOf(call, record.object) : (record.object as JsonObject),
    )

/** Encodes events as tables with one row each. Only the first table has columns, and a bookmark has no cells. */
function tableEncoder(call: ResourceCall): (record: WatchRecord) => Uint8Array {
  let isFirst = true
  return (record) => {
    if (record.type === 'ERROR') return encoder(call)(record)
    const { resourceVersion = '' } = record.object.metadata
    const isBookmark = record.type === 'BOOKMARK'
    const table = tableOf(call, isBookmark ? [] : [record.object], { resourceVersion })
    const object = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: record.object.metadata }
    const rows = isBookmark ? [{ cells: [], object }] : table['rows']!
    const shown = { ...table, rows, ...(isFirst ? {} : { columnDefinitions: null }) }
    isFirst = false
    return Buffer.from(`${JSON.stringify({ type: record.type, object: shown })}\n`)
  }
}
