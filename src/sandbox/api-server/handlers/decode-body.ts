import { parse } from 'yaml'
import type { ResourceCall } from '../context.ts'
import { invalidValue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import { decodeProtobuf, ProtobufError } from '../protobuf/decode.ts'
import type { Resource } from '../registry/resource.ts'
import type { ApiRequest } from '../request.ts'
import { decodeBuiltIn } from '../schema/built-in.ts'
import { isObject, type JsonObject, type JsonValue, textOf } from '../schema/json.ts'
import { strictDecodingError } from '../schema/strict.ts'
import { badRequest, invalid, requestEntityTooLarge, unsupportedMediaType } from '../status.ts'
import type { WriteOptions } from './options.ts'

/** Maximum bytes of a body, as in the API server. */
export const largestBody = 3 * 1024 * 1024

const protobuf = 'application/vnd.kubernetes.protobuf'

/** The media type without its parameters. */
export const mediaType = (request: ApiRequest): string =>
  (request.headers?.['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()

/**
 * The body as a JSON value; undefined if the request has no body.
 * @throws {ApiStatusError} 400, 413, 415
 */
export function bodyValue(request: ApiRequest, type = mediaType(request)): JsonValue | undefined {
  const { body } = request
  if (!(body instanceof Uint8Array)) return body
  if (body.length > largestBody) throw requestEntityTooLarge(`limit is ${largestBody}`)
  if (body.length === 0) return undefined
  if (type !== protobuf && !/^$|\/(.*\+)?(json|yaml)$|^\*\/\*$/.test(type))
    throw unsupportedMediaType(['application/json', 'application/yaml', protobuf])
  try {
    if (type === protobuf) return decodeProtobuf(body)
    const text = new TextDecoder().decode(body)
    if (type.endsWith('yaml')) return parse(text, { version: '1.1', merge: true, uniqueKeys: false }) as JsonValue
    return JSON.parse(text) as JsonValue
  } catch (error) {
    // JSON.parse throws a SyntaxError, and the other parsers throw their own errors. The message of each error
    // describes the fault in the text.
    if (!(error instanceof SyntaxError || error instanceof ProtobufError || (error as Error).name === 'YAMLParseError'))
      throw error
    throw badRequest(`the object provided is unrecognized: ${(error as Error).message.split('\n')[0]}`)
  }
}

/** The body of a request that must be an object. @throws {ApiStatusError} 400 */
export function bodyObject(request: ApiRequest, type?: string): JsonObject {
  const value = bodyValue(request, type)
  if (!isObject(value)) throw badRequest('the object provided is unrecognized: the body is not an object')
  return value
}

interface ExpectedType {
  apiVersion: string
  kind: string
}

/** The kind that a path accepts: the kind of the resource, or of its subresource. */
export function expectedType({ resource, subresource }: ResourceCall): ExpectedType {
  if (!subresource || subresource.kind === resource.kind)
    return { apiVersion: resource.apiVersion, kind: resource.kind }
  const { group, version, kind } = subresource
  return { apiVersion: group && version ? `${group}/${version}` : resource.apiVersion, kind }
}

/**
 * The object in a body, whose kind must be that of the path. `fieldValidation` decides whether unknown fields are
 * refused, cause warnings, or are dropped.
 * @throws {ApiStatusError} 400
 */
export function decodeObject(call: ResourceCall, options: WriteOptions): KubeObject {
  const body = bodyObject(call.request)
  const expected = expectedType(call)
  const { resource } = call
  const { apiVersion = expected.apiVersion, kind = expected.kind } = body
  if (resource.custom && body['kind'] === undefined)
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(body)}'`)
  if (apiVersion !== expected.apiVersion)
    throw badRequest(
      `the API version in the data (${textOf(apiVersion)}) does not match the expected API version (${expected.apiVersion})`,
    )
  if (kind !== expected.kind && resource.custom)
    throw invalid({ group: resource.group, kind: resource.kind }, textOf((body['metadata'] as JsonObject)?.['name']), [
      invalidValue('kind', kind, `must be ${resource.kind}`),
    ])
  if (kind !== expected.kind)
    throw badRequest(`${textOf(kind)} in version ${JSON.stringify(apiVersion)} cannot be handled as a ${expected.kind}`)
  const { object, problems } = knownFields(resource, expected, { ...body, ...expected })
  reportUnknown(call, problems, options)
  return (isObject(object['metadata']) ? object : { ...object, metadata: {} }) as KubeObject
}

/**
 * Refuses unknown fields, or warns about them. Also used for patched objects, whose unknown fields are known only after
 * the patch.
 * @throws {ApiStatusError} 400
 */
export function reportUnknown(call: ResourceCall, problems: readonly string[], options: WriteOptions): void {
  if (problems.length === 0 || options.fieldValidation === 'Ignore') return
  const { apiVersion, kind } = expectedType(call)
  if (options.fieldValidation === 'Strict')
    throw strictDecodingError(kind, apiVersion.slice(apiVersion.indexOf('/') + 1), problems)
  call.warnings.push(...problems)
}

/** The object without unknown fields, and the names of the unknown fields. */
export function knownFields(
  resource: Resource,
  { apiVersion, kind }: ExpectedType,
  body: JsonObject,
): { object: JsonObject; problems: string[] } {
  if (resource.custom && kind === resource.kind) return resource.custom.schema.prune(body)
  return decodeBuiltIn(apiVersion, kind, body)
}
