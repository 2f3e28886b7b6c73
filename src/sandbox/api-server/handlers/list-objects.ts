import { namespaceOf, type ResourceCall } from '../context.ts'
import { type KubeObject, keyOf } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import { fieldText, selectableField } from '../registry/selectable-fields.ts'
import { matchesFields, parseFieldSelector } from '../selectors/field-selector.ts'
import { parseLabelSelector } from '../selectors/label-selector.ts'
import { ApiStatusError, badRequest, expired, timeout } from '../status.ts'
import { type IndexValues, lowerBound } from '../store/object-table.ts'
import { CompactedError } from '../store/store.ts'
import type { ListOptions } from './options.ts'

/** The objects that a request selects. */
export interface Selection {
  readonly everything: boolean
  /** A value that every selected object has: the value of an index of the store, or the object's `name`. */
  readonly trigger: { readonly index: string; readonly value: string } | undefined
  matches(stored: KubeObject): boolean
}

/** Fields that the store indexes, by resource of the store. */
export const indexedFields: Readonly<Record<string, string>> = { '/pods': 'spec.nodeName' }

/** The values by which the store indexes an object. */
export function indexValues(storage: string): IndexValues | undefined {
  const field = indexedFields[storage]
  if (field === undefined) return undefined
  return (object) => {
    const value = fieldText(object, field)
    return value === '' ? {} : { [field]: value }
  }
}

/** @throws {ApiStatusError} 400 */
export function selectionOf(
  resource: Resource,
  { labelSelector, fieldSelector }: { labelSelector: string; fieldSelector: string },
): Selection {
  const labels = labelSelector === '' ? undefined : parseLabelSelector(labelSelector)
  const terms = parseFieldSelector(fieldSelector).map((term) => ({
    ...term,
    field: selectableField(resource, term.field),
  }))
  const wanted = (field: string | undefined) => terms.find((term) => term.field === field && term.equal)?.value
  const name = wanted('metadata.name')
  const index = indexedFields[resource.storage]
  const value = wanted(index)
  return {
    everything: labels === undefined && terms.length === 0,
    trigger: name !== undefined ? { index: 'name', value: name } : index && value ? { index, value } : undefined,
    matches: (stored) =>
      (labels === undefined || labels.matches(stored.metadata.labels ?? {})) && matchesFields(terms, stored, fieldText),
  }
}

/** Stored objects in the order of their keys, with the list's metadata. */
export interface ObjectList {
  readonly items: readonly KubeObject[]
  readonly revision: number
  readonly continue?: string
  readonly remaining?: number
}

/**
 * The start of the next page of a list. Revision -1 means the newest revision, because the original revision is gone.
 */
interface ContinueToken {
  readonly revision: number
  /** The first key of the page. */
  readonly start: string
}

/** @throws {ApiStatusError} */
export function listObjects(call: ResourceCall, options: ListOptions): ObjectList {
  const { store } = call.context
  const { storage } = call.resource
  const selection = selectionOf(call.resource, options)
  const namespace = scopeOf(call)
  const token = options.continue === '' ? undefined : decodeContinue(options.continue)
  if (token && Number(options.resourceVersion) > 0)
    throw badRequest('specifying resource version is not allowed when using continue')
  // As in the real server's cache, a limit has no effect if the client accepts any version.
  const limit = options.resourceVersion === '0' && !token && options.match === '' ? 0 : options.limit
  const wanted = token ? (token.revision < 0 ? undefined : token.revision) : exactRevision(call, options)
  // A first page is a part of a list that the store keeps, so that later pages show the same state.
  const isPaged = limit > 0 && limit < store.count(storage, namespace)
  const revision = wanted ?? store.revision
  if (isPaged || revision !== store.revision) {
    const all = snapshotOf(call, namespace, revision, token)
    const start = token ? lowerBound(all, (object) => listKey(object, namespace) < token.start) : 0
    return page(all.slice(start), selection, { namespace, revision, limit })
  }
  const items: KubeObject[] = []
  for (const object of candidates(call, namespace, selection, token?.start))
    if (selection.everything || selection.matches(object)) items.push(object)
  return { items, revision }
}

/**
 * The revision that a request requires; undefined if the request accepts the newest revision. @throws {ApiStatusError}
 */
function exactRevision(call: ResourceCall, options: ListOptions): number | undefined {
  const revision = parseRevision(options.resourceVersion)
  checkNotAhead(call, revision)
  const isExact = options.match === 'Exact' || (options.match === '' && options.limit > 0)
  return isExact && revision > 0 ? revision : undefined
}

/** The revision in a text; 0 if the text is empty. @throws {ApiStatusError} 400 */
export function parseRevision(text: string): number {
  if (/^\d*$/.test(text)) return Number(text)
  throw badRequest(`invalid resource version: ${JSON.stringify(text)} is not a number`)
}

/** @throws {ApiStatusError} 504 for a future revision */
export function checkNotAhead({ context }: ResourceCall, revision: number): void {
  const current = context.store.revision
  if (revision <= current) return
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  throw timeout(`Too large resource version: ${revision}, current: ${current}`, { causes, retryAfterSeconds: 1 })
}

/** The current objects that may match a selection, in order. */
export function candidates(
  { context: { store }, resource: { storage, namespaced } }: ResourceCall,
  namespace: string | undefined,
  { trigger }: Selection,
  start?: string,
): Iterable<KubeObject> {
  if (start !== undefined || !trigger) return store.walk(storage, namespace, start)
  const { index, value } = trigger
  if (index === 'name') {
    if (namespaced && namespace === undefined) return store.walk(storage)
    const found = store.get(storage, namespace ?? '', value)
    return found ? [found] : []
  }
  return [...store.indexed(storage, index, value)]
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function snapshotOf(
  { context, resource }: ResourceCall,
  namespace: string | undefined,
  revision: number,
  token: ContinueToken | undefined,
): readonly KubeObject[] {
  try {
    return context.store.snapshot(resource.storage, namespace, Math.min(revision, context.store.revision))
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
    if (!token) throw expired('The resourceVersion for the provided list is too old.')
    const { status } = expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    )
    throw new ApiStatusError({ ...status, metadata: { continue: encodeContinue({ ...token, revision: -1 }) } })
  }
}

/** The key of an object in continue tokens. If the list is of one namespace, the key does not contain the namespace. */
const listKey = (object: KubeObject, namespace: string | undefined): string =>
  namespace === undefined ? keyOf(object) : object.metadata.name

interface PageOf {
  namespace: string | undefined
  revision: number
  limit: number
}

function page(all: readonly KubeObject[], selection: Selection, { namespace, revision, limit }: PageOf): ObjectList {
  const items: KubeObject[] = []
  let read = 0
  while (read < all.length && (limit === 0 || items.length < limit)) {
    const object = all[read++]!
    if (selection.everything || selection.matches(object)) items.push(object)
  }
  const last = items.at(-1)
  const remaining = all.length - read
  if (remaining === 0 || !last) return { items, revision }
  const token = encodeContinue({ revision, start: `${listKey(last, namespace)}\0` })
  // As in the real server, a list with a selection does not have the number of remaining objects.
  return { items, revision, continue: token, ...(selection.everything ? { remaining } : {}) }
}

/** The namespace of a list or watch; undefined for all namespaces. */
export const scopeOf = (call: ResourceCall): string | undefined => namespaceOf(call) || undefined

/** The text of a continue token: base64url of JSON, as in servers with etcd. */
const encodeContinue = ({ revision, start }: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url')

/** @throws {ApiStatusError} 400 */
function decodeContinue(token: string): ContinueToken {
  try {
    const { rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { rv?: unknown; start?: unknown }
    if (typeof rv === 'number' && typeof start === 'string') return { revision: rv, start }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw badRequest('invalid continue token: continue key is not valid: it is not from this server')
}
