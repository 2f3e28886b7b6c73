import { type ApiContext, type Call, groupResource } from '../context.ts'
import { requestInfo } from '../http/request-info.ts'
import type { Resource } from '../registry/resource.ts'
import { type ApiRequest, type ApiResponse, json, pageNotFound, queryOf, type UserInfo } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'
import { ApiStatusError, internalFailure, methodNotAllowed, notFound, pathNotFound } from '../status.ts'
import { handleResource } from './handle-resource.ts'
import { refusal } from './refusal.ts'

/** What answers the paths that are no resources: discovery, health. */
export type PathHandler = (call: Call) => ApiResponse | undefined

/**
 * Answers a request of a user that has been authenticated: authorization, routing, handling. Every refusal is an
 * answer too; nothing is thrown.
 */
export async function handleRequest(
  context: ApiContext,
  paths: PathHandler,
  request: ApiRequest,
  user: UserInfo,
): Promise<ApiResponse> {
  const call: Call = { context, request, user, info: requestInfo(request), query: queryOf(request), warnings: [] }
  try {
    authorize(call)
    return withWarnings(await route(call, paths), call.warnings)
  } catch (error) {
    return withWarnings(failure(error), call.warnings)
  }
}

function route(call: Call, paths: PathHandler): ApiResponse | Promise<ApiResponse> {
  const { info, context } = call
  if (!info.isResource) return paths(call) ?? pageNotFound()
  const { group, version } = info
  const resource = context.registry.find(group, version, info.resource)
  if (!resource) return isBuiltInGroup(call) ? failure(pathNotFound()) : pageNotFound()
  const subresource = resource.subresources.find(({ name }) => name === info.subresource)
  if (info.subresource !== '' && !subresource)
    return failure(resource.custom ? notFound(groupResource(resource), info.name) : pathNotFound())
  const refused = misrouted(call, resource)
  if (refused) return failure(refused)
  return handleResource({ ...call, resource, subresource })
}

/** Without a namespace, a namespaced resource can be read as a whole only. */
const anyNamespace = new Set(['list', 'watch', 'deletecollection'])

/** A method that the path of a collection, or of one object, does not have. */
function misrouted({ info }: Call, { namespaced }: Resource): ApiStatusError | undefined {
  const { verb, namespace, name, subresource } = info
  if (verb === 'create' && name !== '' && subresource === '') return methodNotAllowed()
  if ((verb === 'update' || verb === 'patch') && name === '') return methodNotAllowed()
  if (!namespaced || namespace !== '' || anyNamespace.has(verb)) return undefined
  return verb === 'create' && name === '' ? methodNotAllowed() : pathNotFound()
}

const isBuiltInGroup = ({ info, context }: Call): boolean =>
  context.registry.all().some(({ group, custom }) => group === info.group && custom === undefined)

/** The refusal of an error. What is none of ours is a bug, and says so. */
export function failure(error: unknown): ApiResponse {
  const { status } = error instanceof ApiStatusError ? error : internalFailure(messageOf(error))
  const seconds = status.details?.retryAfterSeconds
  const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) }
  return json(status.code, status as unknown as JsonObject, headers)
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)

function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  if (warnings.length === 0) return response
  const lines = [...new Set(warnings)].map((text) => `299 - ${JSON.stringify(text)}`)
  return { ...response, headers: { ...response.headers, warning: lines } }
}

/** @throws {ApiStatusError} 403 */
function authorize({ context, info, user }: Call): void {
  const { isResource, verb, group, version, resource, subresource, namespace, name, path } = info
  const asked = { user, isResource, verb, group, version, resource, subresource, namespace, name, path }
  const { allowed, reason } = context.authorizer.authorize(asked)
  if (!allowed) throw refusal(asked, reason)
}
