import { type ApiContext, type Call, groupResource, type ResourceCall } from '../context.ts'
import { requestInfo } from '../http/request-info.ts'
import type { KubeObject } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import type { Resource } from '../registry/resource.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import { type ApiRequest, type ApiResponse, json, pageNotFound, queryOf, type UserInfo } from '../request.ts'
import { isObject, type JsonObject } from '../schema/json.ts'
import { ApiStatusError, internalFailure, methodNotAllowed, notFound, pathNotFound, success } from '../status.ts'
import { bodyValue, decodeObject } from './decode-body.ts'
import { deleteCollection, deleteObject } from './delete-object.ts'
import { checkNotAhead, listObjects, type ObjectList, parseRevision } from './list-objects.ts'
import { type DeleteOptions, deleteOptions, listOptions, writeOptions } from './options.ts'
import { readPatch } from './patch-object.ts'
import { handleBinding, handlePodConnection, readStored } from './pod-subresources.ts'
import { represent, representList } from './representation.ts'
import { handleScale } from './scale.ts'
import { handleTokenRequest, handleTokenReview } from './tokens.ts'
import { watchObjects } from './watch-objects.ts'
import { createObject, replacing, type Updated, updateObject } from './write-object.ts'

/** Answers paths that are not resources: discovery, health. */
export type PathHandler = (call: Call) => ApiResponse | undefined

type Handler = (call: ResourceCall) => ApiResponse | Promise<ApiResponse>

/** Answers the request of an authenticated user. Never throws: a refusal is also an answer. */
export async function handleRequest(
  context: ApiContext,
  paths: PathHandler,
  request: ApiRequest,
  user: UserInfo,
): Promise<ApiResponse> {
  const warnings: string[] = []
  const call: Call = { context, request, user, info: requestInfo(request), query: queryOf(request), warnings }
  let response: ApiResponse
  try {
    response = call.info.isResource ? await route(call) : (paths(call) ?? pageNotFound())
  } catch (error) {
    response = failure(error)
  }
  if (warnings.length === 0) return response
  const warning = [...new Set(warnings)].map((text) => `299 - ${JSON.stringify(text)}`)
  return { ...response, headers: { ...response.headers, warning } }
}

/** The answer for an error. An unknown error is a bug, and the answer says so. */
export function failure(error: unknown): ApiResponse {
  const { status } = error instanceof ApiStatusError ? error : internalFailure(String(error))
  const seconds = status.details?.retryAfterSeconds
  const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) }
  return json(status.code, status as unknown as JsonObject, headers)
}

function route(call: Call): ApiResponse | Promise<ApiResponse> {
  const { info, context } = call
  const resource = context.registry.find(info.group, info.version, info.resource)
  if (!resource) throw pathNotFound()
  const subresource = resource.subresources.find(({ name }) => name === info.subresource)
  if (info.subresource !== '' && !subresource)
    throw resource.custom ? notFound(groupResource(resource), info.name) : pathNotFound()
  const verbs: readonly string[] = subresource?.verbs ?? resource.verbs
  if (!verbs.includes(info.verb)) throw methodNotAllowed()
  checkPath(call, resource)
  return (special(resource, info.subresource) ?? handlers[info.verb]!)({ ...call, resource, subresource })
}

/** Verbs that a namespaced resource allows without a namespace. */
const anyNamespace = ['list', 'watch', 'deletecollection']

/** @throws {ApiStatusError} 404; 405 if the path of a collection, or of an object, does not support this method */
function checkPath({ info }: Call, { namespaced }: Resource): void {
  const { verb, namespace, name, subresource } = info
  const isCreation = verb === 'create' && subresource === ''
  if (isCreation ? name !== '' : name === '' && !anyNamespace.includes(verb)) throw methodNotAllowed()
  if (namespaced && namespace === '' && !anyNamespace.includes(verb))
    throw isCreation ? methodNotAllowed() : pathNotFound()
}

/** The handler of a subresource that is not a stored object; undefined for all other subresources. */
function special({ storage }: Resource, subresource: string): Handler | undefined {
  if (subresource === 'scale') return handleScale
  if (subresource === 'binding') return handleBinding
  if (subresource === 'log' || subresource === 'exec') return handlePodConnection
  if (subresource === 'token') return handleTokenRequest
  return storage === 'authentication.k8s.io/tokenreviews' ? handleTokenReview : undefined
}

const answer = (call: ResourceCall, code: number, object: KubeObject): ApiResponse =>
  json(code, represent(call, object))

const written = (call: ResourceCall, { object, created }: Updated): ApiResponse =>
  answer(call, created ? 201 : 200, object)

function listAnswer(call: ResourceCall, { items, revision, ...page }: ObjectList): ApiResponse {
  const metadata = {
    resourceVersion: String(revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  }
  return json(200, representList(call, items, metadata))
}

const handlers: Record<string, Handler> = {
  get: (call) => {
    // The request's resourceVersion is the minimum version of the object in the answer.
    checkNotAhead(call, parseRevision(call.query.get('resourceVersion') ?? ''))
    return answer(call, 200, fromStorage(call.resource, readStored(call)))
  },
  list: (call) => listAnswer(call, listObjects(call, listOptions(call.query, false))),
  watch: (call) => watchObjects(call, listOptions(call.query, true)),
  create: async (call) => {
    const options = writeOptions(call.query, 'Create')
    return answer(call, 201, await createObject(call, decodeObject(call, options), options))
  },
  update: async (call) => {
    const options = writeOptions(call.query, 'Update')
    return written(call, await updateObject(call, replacing(call, decodeObject(call, options)), options))
  },
  patch: async (call) => {
    const { update, options } = readPatch(call)
    return written(call, await updateObject(call, update, options))
  },
  delete: async (call) => {
    const { object, gone } = await deleteObject(call, call.info.name, deletion(call))
    const { resource } = call
    if (!gone || behaviourOf(resource).returnsDeleted) return answer(call, 200, object)
    const { name, uid = '' } = object.metadata
    const group = resource.group === '' ? {} : { group: resource.group }
    return json(200, success({ details: { name, ...group, kind: resource.plural, uid } }))
  },
  deletecollection: async (call) => listAnswer(call, await deleteCollection(call, deletion(call))),
}

function deletion({ query, request }: ResourceCall): DeleteOptions {
  const body = bodyValue(request)
  return deleteOptions(query, isObject(body) ? body : undefined)
}
