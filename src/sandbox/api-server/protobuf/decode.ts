import type { JsonObject, JsonValue } from '../schema/json.ts'
import { messageLines } from './message-lines.ts'

interface Field {
  readonly name: string
  readonly type: string
  readonly pointer: boolean
  readonly embedded: boolean
}

type Message = ReadonlyMap<number, Field>

const messages = new Map<string, Message>()
for (const line of messageLines.trim().split('\n')) {
  const [name = '', ...fields] = line.split(' ')
  messages.set(name, new Map(fields.filter((field) => field !== '').map(parseField)))
}

function parseField(text: string): [number, Field] {
  const [number = '', name = '', ...rest] = text.split(':')
  const full = rest.join(':')
  const type = full.replace(/^[~*]+/, '')
  return [Number(number), { name, type, pointer: full.includes('*'), embedded: full.startsWith('~') }]
}

/** Bytes that are no message of the form that they claim to be. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

/** What every body in protobuf begins with. */
const magic = Buffer.from('k8s\0', 'latin1')

/**
 * The object of a body in Kubernetes' protobuf encoding, as JSON would have it.
 * @throws {ProtobufError} for other bytes, and for kinds whose messages are not known here
 */
export function decodeProtobuf(body: Uint8Array): JsonObject {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  if (!bytes.subarray(0, 4).equals(magic))
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  const envelope = wireFields(bytes.subarray(4))
  const type = wireFields(bytesOf(envelope.get(1)))
  const apiVersion = bytesOf(type.get(1)).toString()
  const kind = bytesOf(type.get(2)).toString()
  const name = `${packageOf(apiVersion)}.${kind}`
  if (!messages.has(name) && !messages.has(`meta/v1.${kind}`))
    throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  const object = decodeMessage(messages.has(name) ? name : `meta/v1.${kind}`, bytesOf(envelope.get(2)))
  return { ...object, apiVersion, kind }
}

/** `rbac/v1` of `rbac.authorization.k8s.io/v1`, `core/v1` of `v1`. */
function packageOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? `core/${apiVersion}` : `${apiVersion.slice(0, slash).split('.')[0]}/${apiVersion.slice(slash + 1)}`
}

type Wire = bigint | Buffer

const bytesOf = (values: Wire[] | undefined): Buffer => {
  const last = values?.at(-1)
  return Buffer.isBuffer(last) ? last : Buffer.alloc(0)
}

function wireFields(bytes: Buffer): Map<number, Wire[]> {
  const fields = new Map<number, Wire[]>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined || shift > 63n) throw new ProtobufError('unexpected EOF')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const take = (length: number): Buffer => {
    if (length > bytes.length - at) throw new ProtobufError('unexpected EOF')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const key = Number(varint())
    const wireType = key & 7
    const value = wireType === 0 ? varint() : wireType === 2 ? take(Number(varint())) : take(wireType === 1 ? 8 : 4)
    const number = key >>> 3
    const found = fields.get(number)
    if (found) found.push(value)
    else fields.set(number, [value])
  }
  return fields
}

function decodeMessage(name: string, bytes: Buffer): JsonObject {
  const message = messages.get(name)
  if (!message) throw new ProtobufError(`the message ${name} is not known`)
  const object: JsonObject = {}
  for (const [number, values] of wireFields(bytes)) {
    const field = message.get(number)
    // A field of a later version: as unknown as one in JSON would be, and dropped like it.
    if (!field) continue
    const value = fieldValue(field.type, values)
    if (field.embedded) Object.assign(object, value)
    else if (field.pointer || !isZero(value)) object[field.name] = value
  }
  return object
}

/** What Go leaves out of JSON: its zero values, unless a pointer says that they were given. */
const isZero = (value: JsonValue): boolean =>
  value === '' ||
  value === 0 ||
  value === false ||
  value === null ||
  (typeof value === 'object' && Object.keys(value).length === 0)

function fieldValue(type: string, values: Wire[]): JsonValue {
  if (type.startsWith('[')) return values.map((value) => single(type.slice(1), value))
  if (type.startsWith('M')) return Object.fromEntries(values.map((value) => entry(type.slice(1), value)))
  return single(type, values.at(-1)!)
}

function entry(type: string, value: Wire): [string, JsonValue] {
  const fields = wireFields(bytesOf([value]))
  const content = fields.get(2)?.at(-1)
  return [bytesOf(fields.get(1)).toString(), content === undefined ? emptyOf(type) : single(type, content)]
}

const emptyOf = (type: string): JsonValue => (type === 'x' ? [] : type.startsWith('m') ? {} : type === 'i' ? 0 : '')

function single(type: string, value: Wire): JsonValue {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.alloc(0)
  switch (type[0]) {
    case 's':
      return bytes.toString()
    case 'i':
      return Number(BigInt.asIntN(64, typeof value === 'bigint' ? value : 0n))
    case 'b':
      return value === 1n
    case 'f':
      return bytes.length === 8 ? bytes.readDoubleLE() : 0
    case 'y':
      return bytes.toString('base64')
    case 'q':
      return bytesOf(wireFields(bytes).get(1)).toString()
    case 't':
    case 'u':
      return time(bytes, type === 'u')
    case 'd':
      return duration(integerOf(wireFields(bytes).get(1)))
    case 'o':
      return intOrString(bytes)
    case 'r':
      return rawJson(bytesOf(wireFields(bytes).get(1)))
    case 'x':
      return (wireFields(bytes).get(1) ?? []).map((item) => bytesOf([item]).toString())
    case 'm':
      return decodeMessage(type.slice(1), bytes)
    default:
      throw new ProtobufError(`the type ${type} is not known`)
  }
}

function integerOf(values: Wire[] | undefined): number {
  const last = values?.at(-1)
  return typeof last === 'bigint' ? Number(BigInt.asIntN(64, last)) : 0
}

function time(bytes: Buffer, micro: boolean): JsonValue {
  if (bytes.length === 0) return null
  const fields = wireFields(bytes)
  const seconds = new Date(integerOf(fields.get(1)) * 1000).toISOString().slice(0, 19)
  const fraction = String(Math.floor(integerOf(fields.get(2)) / 1000)).padStart(6, '0')
  return micro ? `${seconds}.${fraction}Z` : `${seconds}Z`
}

/** As Go prints one, for whole seconds: `1h0m0s`. */
function duration(nanoseconds: number): string {
  const seconds = nanoseconds / 1e9
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const rest = `${seconds % 60}s`
  if (hours > 0) return `${hours}h${minutes}m${rest}`
  return minutes > 0 ? `${minutes}m${rest}` : rest
}

function intOrString(bytes: Buffer): JsonValue {
  const fields = wireFields(bytes)
  return integerOf(fields.get(1)) === 1 ? bytesOf(fields.get(3)).toString() : integerOf(fields.get(2))
}

function rawJson(bytes: Buffer): JsonValue {
  if (bytes.length === 0) return null
  try {
    return JSON.parse(bytes.toString()) as JsonValue
  } catch {
    throw new ProtobufError('raw content is no JSON')
  }
}
