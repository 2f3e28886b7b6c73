import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { applyServerSide } from '../patch/server-side-apply.ts'
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.ts'
import { builtInSchema } from '../schema/built-in-kinds.ts'
import { type JsonObject, type JsonValue, objectOf, textOf } from '../schema/json.ts'
import { badRequest, methodNotAllowed, unsupportedMediaType } from '../status.ts'
import { bodyObject, bodyValue, expectedType, knownFields, mediaType, reportUnknown } from './decode-body.ts'
import { type WriteOptions, writeOptions } from './options.ts'
import { withDefaults } from './prepare-object.ts'
import { typeSchemaOf, writerOf } from './track-managed-fields.ts'
import { checkIdentity, type Update } from './write-object.ts'

const jsonPatch = 'application/json-patch+json'
const mergePatch = 'application/merge-patch+json'
const strategicMergePatch = 'application/strategic-merge-patch+json'
const applyPatch = 'application/apply-patch+yaml'

/** A parsed patch that is not yet applied. */
export interface ReadPatch {
  readonly update: Update
  readonly options: WriteOptions
}

/**
 * Parses the patch of a request. The patch is applied to the current object, and again if the object changes meanwhile.
 * @throws {ApiStatusError} 400, 415, 422
 */
export function readPatch(call: ResourceCall): ReadPatch {
  const { custom } = call.resource
  const type = mediaType(call.request)
  const accepted = [jsonPatch, mergePatch, ...(custom ? [] : [strategicMergePatch]), applyPatch]
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted)
  const isApply = type === applyPatch
  const options = writeOptions(call.query, 'Patch', isApply)
  if (isApply) return { options, update: applyUpdate(call, appliedObject(call), options) }
  const patched = patcher(call, type)
  const produce = (current: KubeObject | undefined): KubeObject => {
    const { object, problems } = knownFields(call.resource, expectedType(call), patched(current!))
    reportUnknown(call, problems, options)
    checkIdentity(call, objectOf(object['metadata']))
    const isWhole = expectedType(call).kind === call.resource.kind
    return isWhole ? withDefaults(call.resource, object as KubeObject) : (object as KubeObject)
  }
  return { options, update: { name: call.info.name, produce } }
}

function patcher(call: ResourceCall, type: string): (current: KubeObject) => JsonObject {
  if (type === jsonPatch) {
    const patch = bodyValue(call.request, 'application/json') as JsonValue
    if (!Array.isArray(patch)) throw badRequest('error decoding patch: a JSON patch is a list of operations')
    return (current) => applyJsonPatch(current, patch)
  }
  const patch = bodyObject(call.request, 'application/json')
  if (type === mergePatch) return (current) => applyMergePatch(current, patch) as JsonObject
  const { apiVersion, kind } = expectedType(call)
  const schema = builtInSchema(apiVersion, kind)
  if (!schema) throw methodNotAllowed()
  return (current) => applyStrategicMergePatch(current, patch, schema)
}

function appliedObject(call: ResourceCall): JsonObject {
  const body = bodyObject(call.request, 'application/yaml')
  const expected = expectedType(call)
  const apiVersion = textOf(body['apiVersion'])
  if (body['kind'] === undefined) throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(body)}'`)
  if (apiVersion !== expected.apiVersion)
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${apiVersion}, expected: ${expected.apiVersion}`,
    )
  checkIdentity(call, { name: call.info.name, ...objectOf(body['metadata']) })
  return body
}

function applyUpdate(call: ResourceCall, applied: JsonObject, options: WriteOptions): Update {
  const { info, resource, subresource } = call
  const { name } = info
  const namespace = resource.namespaced ? { namespace: info.namespace } : {}
  const produce = (live: KubeObject | undefined): KubeObject => {
    reportUnknown(call, knownFields(resource, expectedType(call), applied).problems, options)
    const schema = typeSchemaOf(resource)!
    const writer = writerOf(call, options)
    const merged = applyServerSide({ live, applied, schema, force: options.force, ...writer }) as KubeObject
    return withDefaults(resource, { ...merged, metadata: { ...merged.metadata, name, ...namespace } })
  }
  return { name, createMissing: !subresource, produce, tracksFields: true }
}
