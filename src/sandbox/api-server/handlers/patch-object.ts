import { groupResource, type ResourceCall, timestamp } from '../context.ts'
import { invalidValue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { applyServerSide } from '../patch/server-side-apply.ts'
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.ts'
import { builtInSchema } from '../schema/built-in-kinds.ts'
import { isObject, type JsonObject, type JsonValue, objectOf, textOf } from '../schema/json.ts'
import { ApiStatusError, badRequest, invalid, methodNotSupported, unsupportedMediaType } from '../status.ts'
import { bodyValue, expectedType, knownFields, mediaType, mediaTypeRefused, reportUnknown } from './decode-body.ts'
import { withDefaults } from './default-object.ts'
import { type WriteOptions, writeOptions } from './options.ts'
import { managerOf, resetFields, typeSchemaOf } from './track-managed-fields.ts'
import type { Update } from './update-object.ts'

const jsonPatch = 'application/json-patch+json'
const mergePatch = 'application/merge-patch+json'
const strategicMergePatch = 'application/strategic-merge-patch+json'
const applyPatch = 'application/apply-patch+yaml'

/** A patch that has been read and waits for its object. */
export interface ReadPatch {
  readonly update: Update
  readonly options: WriteOptions
}

/**
 * Reads the patch of a request. The patch is applied to the object that it finds, again whenever that has changed.
 * @throws {ApiStatusError} 400, 415, 422
 */
export function readPatch(call: ResourceCall): ReadPatch {
  const type = mediaType(call.request)
  checkType(call, type)
  const isApply = type === applyPatch
  const options = writeOptions(call.query, 'Patch', isApply)
  const body = bodyValue(call.request, isApply ? 'application/yaml' : 'application/json')
  const name = call.info.name
  if (isApply) return { options, update: applyUpdate(call, name, appliedObject(call, body), options) }
  const patched = patcher(call, type, body ?? null)
  const produce = (current: KubeObject | undefined): KubeObject => {
    const result = patched(current!)
    return finish(call, result, current!, options)
  }
  return { options, update: { name, createMissing: false, produce } }
}

function checkType({ resource }: ResourceCall, type: string): void {
  const accepted = resource.custom
    ? [jsonPatch, mergePatch, applyPatch]
    : [jsonPatch, mergePatch, strategicMergePatch, applyPatch]
  if (accepted.includes(type)) return
  // The routes of built-in kinds refuse before their handlers, which would say what they accept.
  throw resource.custom ? unsupportedMediaType(accepted) : mediaTypeRefused()
}

function patcher(call: ResourceCall, type: string, body: JsonValue): (current: KubeObject) => JsonObject {
  if (type === jsonPatch && !Array.isArray(body))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp')
  if (type === jsonPatch) return (current) => applyJsonPatch(current, body)
  if (!isObject(body)) throw badRequest('json: cannot unmarshal array into Go value of type map[string]interface {}')
  if (type === mergePatch) return (current) => applyMergePatch(current, body) as JsonObject
  const { apiVersion, kind } = expectedType(call)
  const schema = builtInSchema(apiVersion, kind)
  if (!schema) throw methodNotSupported(groupResource(call.resource), 'patch')
  return (current) => applyStrategicMergePatch(current, body, schema)
}

/** What a patch made, as if it had been sent: checked for unknown fields, defaulted. */
function finish(call: ResourceCall, patched: JsonObject, current: KubeObject, options: WriteOptions): KubeObject {
  const { object, problems } = decodePatched(call, patched)
  reportUnknown(call, expectedType(call), problems, options)
  checkIdentity(object, current)
  return isSubresourceKind(call) ? (object as KubeObject) : withDefaults(call.resource, object as KubeObject)
}

/** A patch that makes a field of another type is at fault as a patch, not as a body. */
function decodePatched(call: ResourceCall, patched: JsonObject): ReturnType<typeof knownFields> {
  try {
    return knownFields(call.resource, expectedType(call), patched)
  } catch (error) {
    if (!(error instanceof ApiStatusError) || error.status.code !== 400) throw error
    const problem = error.message.replace(/^.*? cannot be handled as a \S+: /s, '')
    throw invalid({ group: '', kind: '' }, '', [invalidValue('patch', JSON.stringify(patched), problem)])
  }
}

const isSubresourceKind = (call: ResourceCall): boolean => expectedType(call).kind !== call.resource.kind

function checkIdentity(object: JsonObject, current: KubeObject): void {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {}
  const name = textOf(metadata['name'])
  if (name !== current.metadata.name)
    throw badRequest(
      name === ''
        ? 'name must be provided'
        : `the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`,
    )
  if (textOf(metadata['namespace']) !== (current.metadata.namespace ?? ''))
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

function appliedObject(call: ResourceCall, body: JsonValue | undefined): JsonObject {
  if (!isObject(body)) throw badRequest('error decoding YAML: the applied configuration is no object')
  const expected = expectedType(call)
  const kind = textOf(body['kind'])
  const apiVersion = textOf(body['apiVersion'])
  if (kind === '') throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(body)}'`)
  if (apiVersion !== expected.apiVersion)
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${apiVersion}, expected: ${expected.apiVersion}`,
    )
  const name = textOf(objectOf(body['metadata'])['name'])
  if (name !== '' && name !== call.info.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.info.name})`)
  return body
}

function applyUpdate(call: ResourceCall, name: string, applied: JsonObject, options: WriteOptions): Update {
  const { apiVersion } = expectedType(call)
  const produce = (current: KubeObject | undefined): KubeObject => {
    const { problems } = knownFields(call.resource, expectedType(call), applied)
    reportUnknown(call, expectedType(call), problems, options)
    const schema = typeSchemaOf(call.resource)!
    const subresource = call.subresource ? { subresource: call.subresource.name } : {}
    const merged = applyServerSide({
      live: current,
      applied,
      schema,
      manager: managerOf(call, options),
      apiVersion,
      time: timestamp(call.context.clock.now()),
      force: options.force ?? false,
      resetFields: resetFields(call),
      ...subresource,
    }) as KubeObject
    const metadata = { ...merged.metadata, name, ...namespaceField(call) }
    return withDefaults(call.resource, { ...merged, metadata })
  }
  return { name, createMissing: !call.subresource, produce, tracksFields: true }
}

const namespaceField = ({ resource, info }: ResourceCall): { namespace?: string } =>
  resource.namespaced ? { namespace: info.namespace } : {}
