import type { Dispatcher } from 'undici'
import type { ResourceRef } from './objects.ts'

/** The verbs of API requests, as in RBAC and audit logs. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** Names an object. `namespace` is required for namespaced kinds. */
export interface Target {
  name: string
  namespace?: string | undefined
}

export interface ListOptions {
  /** Absent: all namespaces. */
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  /** Maximum objects on a page. */
  limit?: number | undefined
  /** The token of the previous page. */
  continue?: string | undefined
  /** `0`: any data from the server's cache. Absent: the most recent data. */
  resourceVersion?: string | undefined
  resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined
}

export interface WriteOptions {
  /** The writer's name in managedFields; at most 128 characters. Required by server-side apply. */
  fieldManager?: string | undefined
  fieldValidation?: 'Ignore' | 'Warn' | 'Strict' | undefined
  /** The server handles the request in full, but stores nothing. */
  dryRun?: boolean | undefined
  /** Such as `status`, `scale`, `eviction` or `token`. */
  subresource?: string | undefined
  /** `metadata`: the server sends only the metadata of the answer. Only for update and patch. */
  answer?: 'metadata' | undefined
}

export interface DeleteOptions {
  dryRun?: boolean | undefined
  /** Deletes the object only if it has this uid and this version. */
  preconditions?: { uid?: string; resourceVersion?: string } | undefined
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined
  gracePeriodSeconds?: number | undefined
}

/** The four ways to change part of an object. */
export type Patch =
  | { type: 'json'; patch: readonly object[] }
  | { type: 'merge' | 'strategic' | 'apply'; patch: object }

/** A request to the API, without credentials and sockets. */
export interface ApiRequest {
  verb: Verb
  resource: ResourceRef
  subresource?: string | undefined
  method: Dispatcher.HttpMethod
  /** The path from `/api` or `/apis` on, with the query. */
  path: string
  contentType?: string
  /** Default: `application/json`. */
  accept?: string
  /**
   * The body as an object. It is serialized only when the request is sent, because thousands of requests may wait, and
   * their texts would take more memory.
   */
  body?: object
  /**
   * Whether the request may be retried when it is unknown whether the server acted: a second request has no further
   * effect, or is refused. A refused retry may hide that the first request succeeded.
   */
  repeatable: boolean
}

/**
 * Asks for a meta/v1 PartialObjectMetadata. Like `kubectl`, it accepts the whole object from servers that do not
 * support this.
 */
const metadataAlone = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'

const accepted = ({ answer }: WriteOptions) => (answer === 'metadata' ? { accept: metadataAlone } : {})

const contentTypes: Record<Patch['type'], string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is also YAML. Before Kubernetes 1.33 the server has no other media type for apply.
  apply: 'application/apply-patch+yaml',
}

type Query = Record<string, string | number | boolean | undefined>

const segment = (what: string, text: string): string => {
  // A name such as `..`, or with a slash, would address another resource. Refuse it, as in Kubernetes' path segment
  // validation.
  if (text === '' || text === '.' || text === '..' || /[/%]/.test(text))
    throw new TypeError(
      `${what} ${JSON.stringify(text)} cannot be a part of a path: it is empty, "." or "..", or contains / or %`,
    )
  return encodeURIComponent(text)
}

function pathOf(
  resource: ResourceRef,
  parts: { namespace?: string | undefined; name?: string; subresource?: string | undefined },
): string {
  const { group, version, plural, namespaced, kind } = resource
  const segments = group === '' ? ['api', version] : ['apis', group, version]
  if (parts.namespace !== undefined) {
    if (!namespaced)
      throw new TypeError(`${kind} does not have namespaces, but the namespace ${parts.namespace} was given`)
    segments.push('namespaces', segment('The namespace', parts.namespace))
  } else if (namespaced && parts.name !== undefined) {
    throw new TypeError(`${kind} ${parts.name} needs a namespace`)
  }
  segments.push(plural)
  if (parts.name !== undefined) segments.push(segment('The name', parts.name))
  if (parts.subresource !== undefined) segments.push(parts.subresource)
  return `/${segments.join('/')}`
}

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value))
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}

const writeQuery = ({ fieldManager, fieldValidation, dryRun }: WriteOptions): Query => ({
  fieldManager,
  fieldValidation,
  dryRun: dryRun ? 'All' : undefined,
})

const listQuery = (options: ListOptions): Query => ({
  labelSelector: options.labelSelector || undefined,
  fieldSelector: options.fieldSelector || undefined,
  limit: options.limit,
  continue: options.continue,
  resourceVersion: options.resourceVersion,
  resourceVersionMatch: options.resourceVersionMatch,
})

export function getRequest(
  resource: ResourceRef,
  target: Target,
  options: { subresource?: string | undefined } = {},
): ApiRequest {
  const { subresource } = options
  const path = pathOf(resource, { ...target, subresource })
  return { verb: 'get', resource, subresource, method: 'GET', path, repeatable: true }
}

export function listRequest(resource: ResourceRef, options: ListOptions): ApiRequest {
  const path = withQuery(pathOf(resource, { namespace: options.namespace }), listQuery(options))
  return { verb: 'list', resource, method: 'GET', path, repeatable: true }
}

export interface WatchOptions extends ListOptions {
  allowWatchBookmarks?: boolean | undefined
  /** The server ends the watch after this many seconds. */
  timeoutSeconds?: number | undefined
}

export function watchRequest(resource: ResourceRef, options: WatchOptions): ApiRequest {
  const { allowWatchBookmarks, timeoutSeconds } = options
  const query = { ...listQuery(options), watch: true, allowWatchBookmarks, timeoutSeconds }
  const path = withQuery(pathOf(resource, { namespace: options.namespace }), query)
  return { verb: 'watch', resource, method: 'GET', path, repeatable: true }
}

/** Set `name` only for a subresource that is created on an object, such as `eviction` or `token`. */
export function createRequest(
  resource: ResourceRef,
  place: { namespace?: string | undefined; name?: string },
  object: object,
  options: WriteOptions,
): ApiRequest {
  const { subresource } = options
  const path = withQuery(pathOf(resource, { ...place, subresource }), writeQuery(options))
  return {
    verb: 'create',
    resource,
    subresource,
    method: 'POST',
    path,
    ...json(object),
    repeatable: options.dryRun === true,
  }
}

export function updateRequest(
  resource: ResourceRef,
  target: Target,
  object: object,
  options: WriteOptions,
): ApiRequest {
  const { subresource } = options
  const version = (object as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion
  const path = withQuery(pathOf(resource, { ...target, subresource }), writeQuery(options))
  const repeatable = options.dryRun === true || (version !== undefined && version !== '')
  return {
    verb: 'update',
    resource,
    subresource,
    method: 'PUT',
    path,
    ...json(object),
    ...accepted(options),
    repeatable,
  }
}

export function patchRequest(
  resource: ResourceRef,
  target: Target,
  { type, patch }: Patch,
  options: WriteOptions & { force?: boolean | undefined },
): ApiRequest {
  const { subresource, force, dryRun } = options
  if (type === 'apply' && !options.fieldManager)
    throw new TypeError(`Server-side apply of ${resource.kind} ${target.name} needs a fieldManager`)
  const query = { ...writeQuery(options), force: type === 'apply' ? force : undefined }
  return {
    verb: 'patch',
    resource,
    subresource,
    method: 'PATCH',
    path: withQuery(pathOf(resource, { ...target, subresource }), query),
    body: patch,
    contentType: contentTypes[type],
    ...accepted(options),
    repeatable: dryRun === true || type === 'apply',
  }
}

export function deleteRequest(resource: ResourceRef, target: Target, options: DeleteOptions): ApiRequest {
  const repeatable = options.dryRun === true || options.preconditions?.uid !== undefined
  return {
    verb: 'delete',
    resource,
    method: 'DELETE',
    path: pathOf(resource, target),
    ...deleteBody(options),
    repeatable,
  }
}

export function deleteCollectionRequest(resource: ResourceRef, which: ListOptions, options: DeleteOptions): ApiRequest {
  const path = withQuery(pathOf(resource, { namespace: which.namespace }), listQuery(which))
  // Not repeatable: a retry would also delete objects that were created after the first request.
  return {
    verb: 'deletecollection',
    resource,
    method: 'DELETE',
    path,
    ...deleteBody(options),
    repeatable: options.dryRun === true,
  }
}

const json = (body: object) => ({ body, contentType: 'application/json' })

function deleteBody({ dryRun, preconditions, propagationPolicy, gracePeriodSeconds }: DeleteOptions) {
  const dry = dryRun ? { dryRun: ['All'] } : {}
  return json({ apiVersion: 'v1', kind: 'DeleteOptions', ...dry, preconditions, propagationPolicy, gracePeriodSeconds })
}
