import { parseAllDocuments } from 'yaml'
import type { ResourceCall } from '../context.ts'
import { duplicateFields } from '../http/json-duplicates.ts'
import type { KubeObject } from '../kube-object.ts'
import { decodeProtobuf, ProtobufError } from '../protobuf/decode.ts'
import type { Resource } from '../registry/resource.ts'
import type { ApiRequest } from '../request.ts'
import { decodeBuiltIn } from '../schema/built-in.ts'
import { isObject, type JsonObject, type JsonValue, objectOf, textOf } from '../schema/json.ts'
import { strictDecodingError } from '../schema/strict.ts'
import { ApiStatusError, badRequest, invalid, requestEntityTooLarge, unsupportedMediaType } from '../status.ts'
import type { WriteOptions } from './options.ts'

/** Bytes; the API server's limit for a body. */
export const largestBody = 3 * 1024 * 1024

const accepted = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

/** The 415 of a route that takes no body of a type. */
export const mediaTypeRefused = (): ApiStatusError => {
  const { status } = unsupportedMediaType([])
  return new ApiStatusError({ ...status, message: '415: Unsupported Media Type', details: {} })
}

/** The media type without its parameters. */
export const mediaType = (request: ApiRequest): string =>
  (request.headers?.['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()

/**
 * The body as a JSON value; undefined when there is none.
 * @throws {ApiStatusError} 400, 413, 415
 */
export function bodyValue(request: ApiRequest, type = mediaType(request)): JsonValue | undefined {
  const { body } = request
  if (!(body instanceof Uint8Array)) return body
  if (body.length > largestBody) throw requestEntityTooLarge(`Request entity too large: limit is ${largestBody}`)
  if (body.length === 0) return undefined
  if (type === protobufType) return protobufValue(body)
  const text = new TextDecoder().decode(body)
  if (type.endsWith('yaml')) return yamlValue(text)
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json') && type !== '*/*')
    throw unsupportedMediaType(accepted)
  return jsonValue(text)
}

/** What clients of built-in kinds like kubectl prefer to send. What they get is JSON, which they accept as well. */
const protobufType = 'application/vnd.kubernetes.protobuf'

function protobufValue(body: Uint8Array): JsonValue {
  try {
    return decodeProtobuf(body)
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error
    throw badRequest(error.message)
  }
}

function jsonValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch (cause) {
    throw badRequest(`${goJsonProblem(cause instanceof Error ? cause.message : '')} (${text})`)
  }
}

/** What Go's decoder says where JSON.parse says this. */
function goJsonProblem(message: string): string {
  const character = /Unexpected (?:token|non-whitespace character)[^']*'(.)'/s.exec(message)?.[1]
  if (character === undefined) return 'unexpected end of JSON input'
  return `invalid character '${character}' looking for beginning of value`
}

function yamlValue(text: string): JsonValue {
  const documents = parseAllDocuments(text, { version: '1.1', merge: true, uniqueKeys: false })
  const first = Array.isArray(documents) ? documents[0] : undefined
  if (!first) return null
  const error = first.errors[0]
  if (error) throw badRequest(`error converting YAML to JSON: yaml: ${error.message.split('\n')[0]}`)
  return first.toJS() as JsonValue
}

interface Expected {
  apiVersion: string
  kind: string
}

/**
 * The object of a body: of the kind that the path takes, without the fields that the kind does not have. What was
 * unknown is refused, warned of or dropped as `fieldValidation` says.
 * @throws {ApiStatusError} 400
 */
export function decodeObject(call: ResourceCall, options: WriteOptions): KubeObject {
  const expected = expectedType(call)
  return decodeAs(call, expected, readBody(call, expected.kind), options)
}

function readBody(call: ResourceCall, kind: string): JsonValue | undefined {
  try {
    return bodyValue(call.request)
  } catch (error) {
    if (!(error instanceof ApiStatusError) || error.status.code !== 400) throw error
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${error.message}`,
    )
  }
}

/** What stands twice in a body; in JSON only, as the server looks for it. */
function duplicates({ request }: ResourceCall): string[] {
  const { body } = request
  const isJson = body instanceof Uint8Array && !/yaml|protobuf/.test(mediaType(request))
  return isJson ? duplicateFields(new TextDecoder().decode(body)) : []
}

/** The kind that a path takes: that of the resource, or of its subresource. */
export function expectedType({ resource, subresource }: ResourceCall): Expected {
  if (!subresource || subresource.kind === resource.kind)
    return { apiVersion: resource.apiVersion, kind: resource.kind }
  const { group, version, kind } = subresource
  return { apiVersion: group && version ? `${group}/${version}` : resource.apiVersion, kind }
}

function decodeAs(
  call: ResourceCall,
  expected: Expected,
  value: JsonValue | undefined,
  options: WriteOptions,
): KubeObject {
  const body = typedBody(call, expected, value)
  const { object, problems } = knownFields(call.resource, expected, body)
  if (options.fieldValidation !== 'Ignore') reportUnknown(call, expected, [...duplicates(call), ...problems], options)
  if (!isObject(object['metadata'])) object['metadata'] = {}
  return object as KubeObject
}

/** Also for patched objects, whose problems are known only once the patch has been applied. */
export function reportUnknown(
  call: ResourceCall,
  { apiVersion, kind }: Expected,
  problems: readonly string[],
  options: WriteOptions,
): void {
  if (problems.length === 0 || options.fieldValidation === 'Ignore') return
  if (options.fieldValidation === 'Strict')
    throw strictDecodingError(kind, apiVersion.slice(apiVersion.indexOf('/') + 1), problems)
  for (const problem of problems) if (!call.warnings.includes(problem)) call.warnings.push(problem)
}

/** The object without unknown fields, and what they were. */
export function knownFields(
  resource: Resource,
  { apiVersion, kind }: Expected,
  body: JsonObject,
): { object: JsonObject; problems: string[] } {
  if (resource.custom && kind === resource.kind) return resource.custom.schema.prune(body)
  return decodeBuiltIn(apiVersion, kind, body)
}

function typedBody({ resource, context }: ResourceCall, expected: Expected, value: JsonValue | undefined): JsonObject {
  if (!isObject(value)) throw unrecognized(expected.kind, value)
  const kind = textOf(value['kind'])
  const apiVersion = textOf(value['apiVersion'])
  if (resource.custom && kind === '') throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(value)}'`)
  if (kind !== '' && kind !== expected.kind) {
    const known = context.registry.findKind(apiVersion || expected.apiVersion, kind) !== undefined
    throw otherKind(resource, expected, { kind, apiVersion, known, name: textOf(objectOf(value['metadata'])['name']) })
  }
  if (apiVersion !== '' && apiVersion !== expected.apiVersion)
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    )
  return { ...value, ...expected }
}

function unrecognized(kind: string, value: JsonValue | undefined): Error {
  const problem =
    value === undefined
      ? 'unexpected end of JSON input'
      : 'json: cannot unmarshal value into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${problem}`,
  )
}

interface OtherKind {
  kind: string
  apiVersion: string
  /** Whether there is such a kind. */
  known: boolean
  name: string
}

function otherKind(resource: Resource, expected: Expected, { kind, apiVersion, known, name }: OtherKind): Error {
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1)
  if (apiVersion !== '' && apiVersion !== expected.apiVersion)
    return badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    )
  if (resource.custom)
    return invalid({ group: resource.group, kind: resource.kind }, name, [
      { type: 'FieldValueInvalid', field: 'kind', value: kind, detail: `must be ${resource.kind}` },
    ])
  const internal = resource.group === '' ? 'core' : resource.group.split('.')[0]
  if (known)
    return badRequest(
      `${kind} in version "${version}" cannot be handled as a ${expected.kind}: converting (${version}.${kind}) to (${internal}.${expected.kind}): unknown conversion`,
    )
  return badRequest(
    `${kind} in version "${version}" cannot be handled as a ${expected.kind}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion || expected.apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
  )
}
