import { gunzipSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { definitionOf, publishedDefinitions } from '../schema/built-in-kinds.ts'
import { isObject, type JsonObject, type JsonValue, objectOf } from '../schema/json.ts'
import { messages } from './messages-data.ts'

/** The bytes are not a valid message of the type that they claim. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

let root: protobuf.Root | undefined
function rootOf(): protobuf.Root {
  if (root !== undefined) return root
  root = protobuf.Root.fromJSON(JSON.parse(gunzipSync(Buffer.from(messages, 'base64')).toString()))
  root.resolveAll()
  return root
}

type Message = Record<string, unknown>
const META = '.k8s.io.apimachinery.pkg.apis.meta.v1.'

/** The text of a time; undefined for the zero time of 1970, which means that the time is unset. */
function time({ seconds = 0, nanos = 0 }: Message, digits: number): string | undefined {
  if (Number(seconds) === 0) return undefined
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  const fraction = String(nanos).padStart(9, '0').slice(0, digits)
  return digits === 0 ? `${text}Z` : `${text}.${fraction}Z`
}

const json = (bytes: unknown): JsonValue => JSON.parse(Buffer.from(bytes as Uint8Array).toString()) as JsonValue

/** Types that are not objects in JSON, with their conversions. */
const special: Readonly<Record<string, (message: Message) => JsonValue | undefined>> = {
  [`${META}Time`]: (message) => time(message, 0),
  [`${META}MicroTime`]: (message) => time(message, 6),
  [`${META}FieldsV1`]: ({ Raw }) => json(Raw),
  '.k8s.io.apimachinery.pkg.api.resource.Quantity': ({ string }) => String(string),
  '.k8s.io.apimachinery.pkg.runtime.RawExtension': ({ raw }) => json(raw),
  '.k8s.io.apimachinery.pkg.util.intstr.IntOrString': ({ type, intVal, strVal }) =>
    Number(type ?? 0) === 1 ? String(strVal) : Number(intVal ?? 0),
  '.k8s.io.api.authentication.v1.ExtraValue': ({ items }) => items as JsonValue,
  '.k8s.io.api.authorization.v1.ExtraValue': ({ items }) => items as JsonValue,
}

function single(field: protobuf.Field, value: unknown): JsonValue | undefined {
  const type = field.resolvedType
  if (type instanceof protobuf.Type)
    return (special[type.fullName] ?? ((found) => objectIn(type, found)))(value as Message)
  if (field.type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64')
  return typeof value === 'string' || typeof value === 'boolean' ? value : Number(value)
}

function fieldValue(field: protobuf.Field, value: unknown): JsonValue | undefined {
  if (!field.repeated && !field.map) return single(field, value)
  const items = Object.entries(value as Message).map(([name, item]) => [name, single(field, item) ?? null] as const)
  if (items.length === 0) return undefined
  return field.repeated ? items.map(([, item]) => item) : Object.fromEntries(items)
}

/** Types in which an unset number is sent as zero, and zero has no other meaning. */
const withoutZeros = new Set([`${META}ObjectMeta`, '.k8s.io.api.core.v1.Probe'])

function objectIn(type: protobuf.Type, message: Message): JsonObject {
  const { properties } = publishedDefinitions()[type.fullName.replace('.k8s.io.', 'io.k8s.')] ?? {}
  const object: JsonObject = {}
  for (const field of type.fieldsArray) {
    const value = Object.hasOwn(message, field.name) ? fieldValue(field, message[field.name]) : undefined
    // An empty text is an unset text. A zero may have a meaning, except in `withoutZeros`.
    if (value === undefined || value === '' || (value === 0 && withoutZeros.has(type.fullName))) continue
    const isInline = isObject(properties) && !Object.hasOwn(properties, field.name) && isObject(value)
    if (isInline) Object.assign(object, value)
    else object[field.name] = value
  }
  return object
}

/** The bytes with which every protobuf body starts. */
const magic = Buffer.from('k8s\0', 'latin1')

function decode(body: Uint8Array): JsonObject {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  if (!bytes.subarray(0, 4).equals(magic))
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  const unknown = rootOf().lookupType('k8s.io.apimachinery.pkg.runtime.Unknown')
  const envelope = unknown.toObject(unknown.decode(bytes.subarray(4)))
  const { apiVersion = '', kind = '' } = objectOf(envelope['typeMeta']) as Record<string, string>
  const name = definitionOf(apiVersion, kind)?.replace('io.k8s.', 'k8s.io.')
  const type = name === undefined ? null : rootOf().lookup(name, [protobuf.Type])
  if (!(type instanceof protobuf.Type))
    throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  const object = objectIn(type, type.decode(envelope['raw'] as Uint8Array) as unknown as Message)
  return { ...object, apiVersion, kind }
}

/**
 * Decodes a body in Kubernetes' protobuf encoding to its JSON form. Typed Go clients (kubectl create, helm) send only
 * this encoding, and do not retry in JSON.
 * @throws {ProtobufError} for other bytes, and for kinds with unknown messages
 */
export function decodeProtobuf(body: Uint8Array): JsonObject {
  try {
    return decode(body)
  } catch (error) {
    // For short input, the library reads past the end and has no error of its own.
    if (error instanceof RangeError || error instanceof protobuf.util.ProtocolError)
      throw new ProtobufError('unexpected EOF', { cause: error })
    throw error
  }
}
