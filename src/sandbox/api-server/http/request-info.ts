import { type ApiRequest, queryOf } from '../request.ts'

/** The content of a request, as handlers and injected faults see it. */
export interface RequestInfo {
  readonly isResource: boolean
  readonly path: string
  /** `get`, `list`, `watch`, `create`, … for resources; the HTTP method in lower case for other paths. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly namespace: string
  readonly resource: string
  readonly subresource: string
  readonly name: string
}

const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

const elsewhere = { group: '', version: '', namespace: '', resource: '', subresource: '', name: '' }

/** Parses path, method and query like Kubernetes' RequestInfoFactory. */
export function requestInfo(request: ApiRequest): RequestInfo {
  const { path, method } = request
  const [prefix, ...rest] = path.split('/').filter(Boolean).map(decode)
  if (prefix === 'api' && rest.length >= 2) return resourceInfo(request, '', rest)
  if (prefix === 'apis' && rest.length >= 3) return resourceInfo(request, rest[0]!, rest.slice(1))
  return { ...elsewhere, isResource: false, path, verb: method.toLowerCase() }
}

function resourceInfo(request: ApiRequest, group: string, [version = '', ...parts]: string[]): RequestInfo {
  const namespace = parts[0] === 'namespaces' && parts.length > 1 ? parts[1]! : ''
  // The name of a namespace is followed by a resource in this namespace, except for the subresource `status`.
  const isWithin = namespace !== '' && parts.length > 2 && parts[2] !== 'status'
  const [resource = '', name = '', ...more] = isWithin ? parts.slice(2) : parts
  const { path, method } = request
  const verb = verbOf(method, name, queryOf(request))
  return { isResource: true, path, verb, group, version, namespace, resource, name, subresource: more.join('/') }
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  const verb = verbs[method] ?? 'get'
  if (name !== '') return verb
  if (verb === 'delete') return 'deletecollection'
  if (verb === 'get') return isTrue(query.get('watch')) ? 'watch' : 'list'
  return verb
}

/** Whether a boolean in a query is true, as Go's API machinery reads it: present, and not `false` or `0`. */
export const isTrue = (value: string | null): boolean =>
  value !== null && value !== '0' && value.toLowerCase() !== 'false'

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // Keep an invalid escape unchanged: no object has such a name, so the answer is "not found".
    return part
  }
}
