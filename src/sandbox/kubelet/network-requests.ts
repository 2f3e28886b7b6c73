import { ApiError } from '../../kube/api-error.ts'
import type { Caller } from '../../kube/caller.ts'
import type { RequestClass } from '../../kube/limiter.ts'
import type { ApiRequest as KubeRequest, Verb } from '../../kube/requests.ts'
import { type ApiRequest, json, queryOf } from '../api-server/request.ts'
import type { JsonValue } from '../api-server/schema/json.ts'
import type { Requests } from '../controllers/cluster-client.ts'

const verbs: Record<string, Verb> = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/**
 * The request path of an API server somewhere else, for what was written for one in the same process. Refusals are answers;
 * what brings no answer throws a ConnectionError.
 */
export const networkRequests =
  (caller: Caller): Requests =>
  async (request) => {
    try {
      return json(200, (await caller.call(requestOf(request), { class: classOf(request) })) as JsonValue)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      return json(error.code, { ...error.status, code: error.code } as unknown as JsonValue)
    }
  }

/** A lease that is late ends all else; events are a courtesy. */
function classOf({ path, method }: ApiRequest): RequestClass {
  if (path.includes('/leases')) return 'lease'
  if (path.includes('/events')) return 'event'
  return method === 'GET' ? 'read' : 'status'
}

function requestOf(request: ApiRequest): KubeRequest {
  const { method, path, headers, body } = request
  const verb = verbs[method]
  if (verb === undefined) throw new TypeError(`${method} ${path} is none of the requests that objects take`)
  const query = queryOf(request).toString()
  const contentType = headers?.['content-type'] ?? (body === undefined ? undefined : 'application/json')
  return {
    verb,
    resource: { group: '', version: '', kind: '', namespaced: false, plural: path },
    method: method as KubeRequest['method'],
    path: query === '' ? path : `${path}?${query}`,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(contentType !== undefined && { contentType }),
    // An event or an object without a version may be made twice; all else is the same the second time, or refused.
    repeatable: verb !== 'create',
  }
}
