import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import { type ApiResponse, json } from '../request.ts'
import { badRequest, methodNotAllowed } from '../status.ts'
import { createObject, namespaceMismatch } from './create-object.ts'
import { bodyValue, decodeObject } from './decode-body.ts'
import { withDefaults } from './default-object.ts'
import { deleteCollection } from './delete-collection.ts'
import { deleteObject } from './delete-object.ts'
import { listObjects } from './list-objects.ts'
import { listOptions } from './list-options.ts'
import { bodyObject, deleteOptions, writeOptions } from './options.ts'
import { readPatch } from './patch-object.ts'
import { readObject } from './read-object.ts'
import { represent, representationOf, representList } from './representation.ts'
import { subresourceHandler } from './subresources/subresource-handlers.ts'
import { type Update, updateObject } from './update-object.ts'
import { virtualHandler } from './virtual-resources.ts'
import { watchObjects } from './watch-objects.ts'

/** Answers a request for a resource, which has been authorized. @throws {ApiStatusError} */
export async function handleResource(call: ResourceCall): Promise<ApiResponse> {
  const { resource, subresource, info } = call
  const verbs: readonly string[] = subresource?.verbs ?? resource.verbs
  if (!verbs.includes(info.verb)) throw methodNotAllowed()
  const deprecation = resource.custom?.deprecationWarning
  if (deprecation !== undefined && !call.warnings.includes(deprecation)) call.warnings.push(deprecation)
  const special = subresource ? subresourceHandler(resource, subresource.name) : virtualHandler(resource)
  return special ? special(call) : verbHandlers[info.verb]!(call)
}

type Handler = (call: ResourceCall) => ApiResponse | Promise<ApiResponse>

const verbHandlers: Record<string, Handler> = {
  get: (call) => answer(call, 200, readObject(call)),
  list,
  watch: (call) => watchObjects(call, listOptions(call.query, true), representationFor(call)),
  create,
  update,
  patch,
  delete: remove,
  deletecollection: async (call) => {
    const { items, revision } = await deleteCollection(call)
    const metadata = { resourceVersion: String(revision) }
    return json(200, representList(call, representationFor(call), items, metadata))
  },
}

const representationFor = (call: ResourceCall): ReturnType<typeof representationOf> =>
  representationOf(call.request.headers?.['accept'], call.query)

export const answer = (call: ResourceCall, code: number, object: KubeObject): ApiResponse =>
  json(code, represent(call, representationFor(call), object))

function list(call: ResourceCall): ApiResponse {
  const representation = representationFor(call)
  const found = listObjects(call, listOptions(call.query, false))
  const metadata = {
    resourceVersion: String(found.revision),
    ...(found.continue === undefined ? {} : { continue: found.continue }),
    ...(found.remaining === undefined ? {} : { remainingItemCount: found.remaining }),
  }
  return json(200, representList(call, representation, found.items, metadata))
}

async function create(call: ResourceCall): Promise<ApiResponse> {
  representationFor(call)
  const options = writeOptions(call.query, 'Create')
  const sent = decodeObject(call, options)
  return answer(call, 201, await createObject(call, sent, options))
}

async function update(call: ResourceCall): Promise<ApiResponse> {
  representationFor(call)
  const options = writeOptions(call.query, 'Update')
  const sent = decodeObject(call, options)
  const { object, created } = await updateObject(call, updateTo(call, sent), options)
  return answer(call, created ? 201 : 200, object)
}

/** The update that a PUT asks for. */
export function updateTo(call: ResourceCall, sent: KubeObject): Update {
  const { info, resource } = call
  const { name = '', namespace = '' } = sent.metadata
  const expected = resource.namespaced ? info.namespace : ''
  if (namespace !== '' && namespace !== expected) throw namespaceMismatch()
  if (name !== info.name)
    throw badRequest(
      name === ''
        ? `name must be provided`
        : `the name of the object (${name}) does not match the name on the URL (${info.name})`,
    )
  const metadata = expected === '' ? sent.metadata : { ...sent.metadata, namespace: expected }
  const produce = (): KubeObject => withDefaults(resource, { ...sent, metadata })
  return { name: info.name, createMissing: behaviourOf(resource).createOnUpdate && !call.subresource, produce }
}

async function patch(call: ResourceCall): Promise<ApiResponse> {
  representationFor(call)
  const read = readPatch(call)
  const { object, created } = await updateObject(call, read.update, read.options)
  return answer(call, created ? 201 : 200, object)
}

async function remove(call: ResourceCall): Promise<ApiResponse> {
  const options = deleteOptions(call.query, bodyObject(bodyValue(call.request)))
  const { object, gone } = await deleteObject(call, call.info.name, options)
  const { resource } = call
  if (!gone || behaviourOf(resource).returnsDeleted)
    return answer(call, !gone && options.object['orphanDependents'] === false ? 202 : 200, object)
  const { name, uid = '' } = object.metadata
  const group = resource.group === '' ? {} : { group: resource.group }
  const details = { name, ...group, kind: resource.plural, uid }
  // The server leaves the code out here.
  return json(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
}
