import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import type { WatchResponse } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'
import { expired, internalFailure } from '../status.ts'
import { CompactedError } from '../store/store.ts'
import { EventLines } from '../watch/event-lines.ts'
import type { WatchRecord } from '../watch/watch-record.ts'
import { Watcher, type WatchSpec } from '../watch/watcher.ts'
import { checkNotAhead, parseRevision, revisionProblem, scopeOf } from './list-objects.ts'
import type { ListOptions } from './list-options.ts'
import { partialMetadata, type Representation, tableOf } from './representation.ts'
import { type Selection, selectionOf } from './selection.ts'

/** A watch without a timeout of its own ends after half an hour to an hour, so that load spreads over servers. */
const shortestTimeout = 30 * 60_000

/** @throws {ApiStatusError} */
export function watchObjects(call: ResourceCall, options: ListOptions, representation: Representation): WatchResponse {
  const { context, resource } = call
  const selection = selectionOf(resource, options)
  const spec: WatchSpec = {
    resource: resource.storage,
    namespace: scopeOf(call),
    trigger: triggerOf(selection),
    bookmarks: options.bookmarks,
    matches: selection.everything ? () => true : selection.matches,
  }
  const watcher = start(call, spec, options)
  const timeout =
    options.timeoutSeconds === undefined || options.timeoutSeconds <= 0
      ? shortestTimeout * (1 + context.random())
      : options.timeoutSeconds * 1000
  const timer = context.clock.after(timeout, () => {
    if (spec.bookmarks) watcher.push(context.hub.bookmark(spec.resource))
    watcher.end()
  })
  return {
    type: 'watch',
    code: 200,
    headers: { 'content-type': 'application/json' },
    events: events(call, watcher, representation.form === 'object', () => timer.cancel()),
    encode: encoder(call, representation),
    close: () => {
      timer.cancel()
      watcher.cut()
    },
  }
}

function triggerOf({ name, indexed }: Selection): WatchSpec['trigger'] {
  return name === undefined ? indexed : { index: 'name', value: name }
}

function start(call: ResourceCall, spec: WatchSpec, options: ListOptions): Watcher {
  const { hub, store } = call.context
  const { resourceVersion, sendInitialEvents } = options
  // A watch answers this mistake in another way than a list.
  if (!/^\d*$/.test(resourceVersion)) throw internalFailure(revisionProblem(resourceVersion))
  const fromNow = resourceVersion === '' || resourceVersion === '0'
  const initial = sendInitialEvents ?? fromNow
  if (!fromNow) checkNotAhead(call, parseRevision(resourceVersion))
  if (initial) return hub.watch(spec, initialEvents(call, spec, sendInitialEvents === true && options.bookmarks))
  if (fromNow) return hub.watch(spec, [])
  const revision = parseRevision(resourceVersion)
  try {
    return hub.watch(spec, hub.backlogAfter(spec, revision))
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
    return tooOld(spec, revision, store.floor(spec.resource))
  }
}

/** Everything there is, then, where asked for, the bookmark that says that this was all. Taken at once, not as it is read. */
function initialEvents(call: ResourceCall, spec: WatchSpec, bookmark: boolean): WatchRecord[] {
  const { hub } = call.context
  const found: WatchRecord[] = []
  for (const object of candidates(call, spec))
    if (spec.matches(object) && (spec.namespace === undefined || object.metadata.namespace === spec.namespace))
      found.push({ type: 'ADDED', object })
  if (bookmark) found.push(hub.bookmark(spec.resource, { 'k8s.io/initial-events-end': 'true' }))
  return found
}

function candidates({ context }: ResourceCall, { resource, namespace, trigger }: WatchSpec): Iterable<KubeObject> {
  if (trigger && trigger.index !== 'name') return context.store.indexed(resource, trigger.index, trigger.value)
  return context.store.walk(resource, namespace)
}

/** The answer is 200 and its only event says 410, as the real server does. */
function tooOld(spec: WatchSpec, revision: number, floor: number): Watcher {
  const { status } = expired(`too old resource version: ${revision} (${floor})`)
  const watcher = new Watcher(spec, [{ type: 'ERROR', object: status }], 0, () => undefined)
  watcher.end()
  return watcher
}

async function* events(
  call: ResourceCall,
  watcher: Watcher,
  converts: boolean,
  done: () => void,
): AsyncGenerator<WatchRecord> {
  try {
    for await (const record of watcher) yield converts ? converted(call, record) : record
  } finally {
    done()
  }
}

/** In the version that was asked for; the same record where nothing differs, so that its line is shared. */
function converted({ resource }: ResourceCall, record: WatchRecord): WatchRecord {
  if (record.type === 'ERROR' || record.type === 'BOOKMARK') return record
  const object = fromStorage(resource, record.object)
  return object === record.object ? record : { type: record.type, object }
}

/** One for all servers of a process: a line depends on the frozen object and the form alone. */
const lines = new EventLines()

function encoder(call: ResourceCall, representation: Representation): (record: WatchRecord) => Uint8Array {
  const { resource } = call
  const { form, includeObject, version } = representation
  let first = true
  return (record) => {
    if (record.type === 'ERROR') return lines.line(record, '', () => ({}))
    const { object } = record
    if (record.type === 'BOOKMARK' && form !== 'table')
      return lines.line(record, `${resource.apiVersion} ${form}`, () =>
        form === 'metadata' ? partialMetadata(object, version) : typed(call, object),
      )
    if (form === 'object') return lines.line(record, resource.apiVersion, () => object)
    const served = record.type === 'BOOKMARK' ? typed(call, object) : fromStorage(resource, object)
    if (form === 'metadata') return lines.line(record, `metadata ${version}`, () => partialMetadata(served, version))
    // Ages in the cells change with the time, so a line is good for its second only.
    const second = Math.floor(call.context.clock.now() / 1000)
    const name = `table ${resource.apiVersion} ${includeObject} ${version} ${first} ${second}`
    const withColumns = first
    first = false
    return lines.line(record, name, () => tableEvent(call, representation, record, served, withColumns))
  }
}

const typed = ({ resource }: ResourceCall, object: KubeObject): KubeObject =>
  ({ kind: resource.kind, apiVersion: resource.apiVersion, metadata: object.metadata }) as KubeObject

/** The columns go with the first event of a watch only. A bookmark has no cells to show. */
function tableEvent(
  call: ResourceCall,
  representation: Representation,
  record: WatchRecord,
  object: KubeObject,
  withColumns: boolean,
): JsonObject {
  const metadata = { resourceVersion: object.metadata.resourceVersion ?? '' }
  const table = tableOf(call, representation, [object], metadata)
  const shown = record.type === 'BOOKMARK' ? { ...table, rows: bookmarkRows(table, object, representation) } : table
  return withColumns ? shown : { ...shown, columnDefinitions: null }
}

function bookmarkRows(table: JsonObject, object: KubeObject, { version }: Representation): JsonObject[] {
  const cells = Array.isArray(table['columnDefinitions']) ? table['columnDefinitions'].map(() => null) : []
  return [{ cells, object: partialMetadata(object, version) }]
}
