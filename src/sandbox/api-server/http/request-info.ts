import type { ApiRequest } from '../request.ts'
import { queryOf } from '../request.ts'

/** What a request asks for, as the authorizer and the handlers see it. */
export interface RequestInfo {
  readonly isResource: boolean
  readonly path: string
  /** `get`, `list`, `watch`, `create`, ... for resources; the HTTP method in lower case for other paths. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly namespace: string
  readonly resource: string
  readonly subresource: string
  readonly name: string
}

const verbs: Record<string, string> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** What follows a namespace's name and is a subresource of it, not a resource in it. */
const namespaceSubresources = new Set(['status', 'finalize'])

/** Reads path, method and query as Kubernetes' RequestInfoFactory does. */
export function requestInfo(request: ApiRequest): RequestInfo {
  const parts = request.path
    .split('/')
    .filter((part) => part !== '')
    .map(decode)
  const [prefix, ...rest] = parts
  if (prefix === 'api' && rest.length >= 2) return resourceInfo(request, '', rest[0]!, rest.slice(1))
  if (prefix === 'apis' && rest.length >= 3) return resourceInfo(request, rest[0]!, rest[1]!, rest.slice(2))
  return {
    isResource: false,
    path: request.path,
    verb: request.method.toLowerCase(),
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
  }
}

function resourceInfo(request: ApiRequest, group: string, version: string, parts: string[]): RequestInfo {
  const rest = [...parts]
  let namespace = ''
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1]!
    if (rest.length > 2 && !namespaceSubresources.has(rest[2]!)) rest.splice(0, 2)
  }
  const [resource = '', name = '', subresource = ''] = rest
  const query = queryOf(request)
  const verb = verbOf(request.method, name, query)
  return {
    isResource: true,
    path: request.path,
    verb,
    group,
    version,
    namespace,
    resource,
    // What stands behind a proxied pod or service belongs to it.
    subresource: rest.length > 3 && subresource !== 'proxy' ? rest.slice(2).join('/') : subresource,
    name: name || nameInSelector(verb, query),
  }
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  const verb = verbs[method] ?? ''
  if (verb === 'delete' && name === '') return 'deletecollection'
  if (verb !== 'get') return verb
  if (name === '') return isTrue(query.get('watch')) ? 'watch' : 'list'
  return 'get'
}

/** A list or watch of one object by name is authorized as that object. */
function nameInSelector(verb: string, query: URLSearchParams): string {
  if (verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection') return ''
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(query.get('fieldSelector') ?? '')?.[1] ?? ''
}

/** How Go's API machinery reads a boolean of a query: present and not `false` or `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // As it came: no object has such a name, so it is not found.
    return part
  }
}
