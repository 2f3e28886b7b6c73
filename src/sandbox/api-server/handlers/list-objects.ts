import { namespaceOf, type ResourceCall } from '../context.ts'
import { type KubeObject, keyOf } from '../kube-object.ts'
import { ApiStatusError, badRequest, expired, timeout } from '../status.ts'
import { CompactedError } from '../store/store.ts'
import { type ContinueToken, decodeContinue, encodeContinue } from './continue-token.ts'
import type { ListOptions } from './list-options.ts'
import { type Selection, selectionOf } from './selection.ts'

/** Stored objects in the order of their keys, with what the metadata of the list says. */
export interface ObjectList {
  readonly items: readonly KubeObject[]
  readonly revision: number
  readonly continue?: string
  readonly remaining?: number
}

const listTooOld = 'The resourceVersion for the provided list is too old.'
const tokenTooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

/** @throws {ApiStatusError} */
export function listObjects(call: ResourceCall, options: ListOptions): ObjectList {
  const selection = selectionOf(call.resource, options)
  const namespace = call.resource.namespaced && call.info.namespace !== '' ? call.info.namespace : undefined
  const token = options.continue === '' ? undefined : decodeContinue(options.continue)
  if (token && options.resourceVersion !== '' && options.resourceVersion !== '0')
    throw badRequest('specifying resource version is not allowed when using continue')
  const revision = token ? tokenRevision(call, token) : exactRevision(call, options)
  // The cache of the real server pays no heed to a limit when any version will do.
  const limit = options.resourceVersion === '0' && !token && options.match === '' ? 0 : options.limit
  const source = sourceOf(call, namespace, selection, revision, token, limit)
  return page(call, source, selection, { namespace, revision, limit })
}

/** The revision that a request insists on; undefined where the newest will do. */
function exactRevision(call: ResourceCall, options: ListOptions): number | undefined {
  if (options.resourceVersion === '' || options.resourceVersion === '0') return undefined
  const revision = parseRevision(options.resourceVersion)
  checkNotAhead(call, revision)
  if (options.match === 'NotOlderThan') return undefined
  return options.match === 'Exact' || options.limit > 0 ? revision : undefined
}

/** @throws {ApiStatusError} 400 */
export function parseRevision(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw badRequest(`invalid resource version: ${revisionProblem(text)}`)
}

/** What is wrong with a text that is no revision. */
export const revisionProblem = (text: string): string =>
  `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`

/** @throws {ApiStatusError} 504 for a revision that is still to come */
export function checkNotAhead({ context }: ResourceCall, revision: number): void {
  const current = context.store.revision
  if (revision <= current) return
  const error = timeout(`Too large resource version: ${revision}, current: ${current}`, 1)
  const details = {
    ...error.status.details,
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  }
  throw new ApiStatusError({ ...error.status, details })
}

function tokenRevision({ context }: ResourceCall, token: ContinueToken): number | undefined {
  if (token.revision < 0) return undefined
  return Math.min(token.revision, context.store.revision)
}

function sourceOf(
  call: ResourceCall,
  namespace: string | undefined,
  selection: Selection,
  revision: number | undefined,
  token: ContinueToken | undefined,
  limit: number,
): Iterable<KubeObject> {
  const { store } = call.context
  const { storage } = call.resource
  // A first page is cut from a list that is kept, so that the next page sees the same.
  const paged = limit > 0 && limit < store.count(storage, namespace)
  const at = revision ?? (paged ? store.revision : undefined)
  if (at !== undefined && (at !== store.revision || paged)) return snapshotFrom(call, namespace, at, token)
  const { name, indexed } = selection
  if (name !== undefined && namespace !== undefined) return one(store.get(storage, namespace, name))
  if (name !== undefined && !call.resource.namespaced) return one(store.get(storage, '', name))
  if (indexed && !token) return inOrder(store.indexed(storage, indexed.index, indexed.value), namespace)
  return store.walk(storage, namespace, token?.start)
}

const one = (object: KubeObject | undefined): KubeObject[] => (object ? [object] : [])

function inOrder(objects: Iterable<KubeObject>, namespace: string | undefined): KubeObject[] {
  return [...objects]
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function snapshotFrom(
  { context, resource }: ResourceCall,
  namespace: string | undefined,
  revision: number,
  token: ContinueToken | undefined,
): readonly KubeObject[] {
  try {
    const all = context.store.snapshot(resource.storage, namespace, revision)
    return token ? all.slice(firstFrom(all, namespace, token.start)) : all
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
    throw token ? inconsistent(token) : expired(listTooOld)
  }
}

/** The key as continue tokens have it: without the namespace where the list is of one. */
const listKey = (object: KubeObject, namespace: string | undefined): string =>
  namespace === undefined ? keyOf(object) : object.metadata.name

function firstFrom(all: readonly KubeObject[], namespace: string | undefined, start: string): number {
  let low = 0
  let high = all.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (listKey(all[middle]!, namespace) < start) low = middle + 1
    else high = middle
  }
  return low
}

function inconsistent({ start }: ContinueToken): ApiStatusError {
  const { status } = expired(tokenTooOld)
  const metadata = { continue: encodeContinue({ revision: -1, start }) } as unknown as Record<string, never>
  return new ApiStatusError({ ...status, metadata })
}

interface PageOf {
  namespace: string | undefined
  revision: number | undefined
  limit: number
}

function page(call: ResourceCall, source: Iterable<KubeObject>, selection: Selection, of: PageOf): ObjectList {
  const items: KubeObject[] = []
  let more = 0
  for (const object of source) {
    if (of.limit > 0 && items.length === of.limit) {
      more++
      // Whether there is more is known; how much more is said only when nothing is selected.
      if (!selection.everything) break
      if (Array.isArray(source)) more = remainingAfter(source, items.at(-1)!)
      if (Array.isArray(source)) break
      continue
    }
    if (selection.everything || selection.matches(object)) items.push(object)
  }
  const revision = of.revision ?? call.context.store.revision
  if (more === 0) return { items, revision }
  const start = `${listKey(items.at(-1)!, of.namespace)}\0`
  const token = encodeContinue({ revision, start })
  return { items, revision, continue: token, ...(selection.everything ? { remaining: more } : {}) }
}

const remainingAfter = (all: readonly KubeObject[], last: KubeObject): number => all.length - all.indexOf(last) - 1

/** The namespace that a list or watch is of; undefined for all. */
export const scopeOf = (call: ResourceCall): string | undefined =>
  namespaceOf(call) === '' ? undefined : namespaceOf(call)
