import { badRequest } from '../status.ts'
import { isObject, type JsonObject, type JsonValue } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import { parseQuantity } from './quantity.ts'

/** Where the decoder is: in which Go struct, on which path of fields (without positions), and at which JSON path. */
interface Place {
  struct: string
  fields: readonly string[]
  path: string
}

class Undecodable extends Error {}
const undecodable = (problem: string): never => {
  throw new Undecodable(problem)
}

const packages: Record<string, string> = {
  Quantity: 'resource',
  IntOrString: 'intstr',
  RawExtension: 'runtime',
  MicroTime: 'v1',
  Time: 'v1',
}
const structType = (title: string): string => `${packages[title] ?? 'v1'}.${title}`

/** The Go type of a schema. Named types of texts (`v1.RestartPolicy`) are not in the OpenAPI: they print as string. */
function goTypeOf(schema: OpenApiSchema): string {
  switch (schema.type) {
    case 'string':
      return schema.format === 'byte'
        ? '[]uint8'
        : schema.format === 'date-time'
          ? `v1.${schema.title ?? 'Time'}`
          : 'string'
    case 'boolean':
      return 'bool'
    case 'integer':
      return schema.format === 'int64' ? 'int64' : 'int32'
    case 'number':
      return 'float64'
    case 'array':
      return `[]${schema.items === undefined ? 'interface {}' : goTypeOf(schema.items)}`
    default: {
      const others = schema.additionalProperties
      if (typeof others === 'object') return `map[string]${goTypeOf(others)}`
      return structType(schema.title ?? 'Unknown')
    }
  }
}

function jsonKind(value: JsonValue, withNumber: boolean): string {
  if (Array.isArray(value)) return 'array'
  if (isObject(value)) return 'object'
  if (typeof value === 'number') return withNumber ? `number ${value}` : 'number'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function mismatch(value: JsonValue, schema: OpenApiSchema, { struct, fields }: Place, withNumber = false): never {
  return undecodable(
    `json: cannot unmarshal ${jsonKind(value, withNumber)} into Go struct field ${struct}.${fields.join('.')} of type ${goTypeOf(schema)}`,
  )
}

const ranges: Record<string, number> = { int32: 2 ** 31, int64: 2 ** 63 }

function checkInteger(value: JsonValue, schema: OpenApiSchema, place: Place): void {
  const range = ranges[schema.format ?? 'int32'] as number
  if (typeof value !== 'number') mismatch(value, schema, place)
  else if (!Number.isInteger(value) || value < -range || value >= range) mismatch(value, schema, place, true)
}

const QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const DATE = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

function checkTime(text: string, schema: OpenApiSchema): void {
  if (DATE.test(text) && !Number.isNaN(Date.parse(text))) return
  const layout = schema.title === 'MicroTime' ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00'
  undecodable(
    `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(text)} as "2006"`,
  )
}

function checkBase64(text: string): void {
  const plain = text.replace(/[\r\n]/g, '')
  const bad = /[^A-Za-z0-9+/=]|=(?!=?$)/.exec(plain)
  if (bad !== null) undecodable(`illegal base64 data at input byte ${bad.index}`)
  if (plain.length % 4 !== 0) undecodable(`illegal base64 data at input byte ${plain.length - (plain.length % 4)}`)
}

function checkText(value: JsonValue, schema: OpenApiSchema, place: Place): void {
  if (typeof value !== 'string') mismatch(value, schema, place)
  else if (schema.format === 'date-time') checkTime(value, schema)
  else if (schema.format === 'byte') checkBase64(value)
}

/** Types that decode themselves, and so have words of their own. */
function checkSpecial(value: JsonValue, schema: OpenApiSchema, place: Place): boolean {
  if (schema.title === 'Quantity') {
    const text = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
    if (parseQuantity(text) === undefined) undecodable(QUANTITY)
    return true
  }
  if (schema.format !== 'int-or-string') return false
  if (typeof value === 'string') return true
  checkInteger(value, { type: 'integer', format: 'int32' }, place)
  return true
}

const isOpen = (schema: OpenApiSchema): boolean =>
  schema.type === undefined ||
  (schema.type === 'object' && schema.properties === undefined && schema.additionalProperties === undefined)

/** Structs that Go embeds: their fields stand in the outer one in JSON, and Go still names them in its errors. */
function embedding(title: string | undefined, name: string): string[] {
  if (title === 'Probe' && ['exec', 'httpGet', 'tcpSocket', 'grpc'].includes(name)) return ['ProbeHandler']
  if (title === 'Volume' && name !== 'name') return ['VolumeSource']
  if (title === 'EphemeralContainer' && name !== 'targetContainerName') return ['EphemeralContainerCommon']
  return title === 'RuleWithOperations' && name !== 'operations' ? ['Rule'] : []
}

const into = (schema: OpenApiSchema, name: string, place: Place, path: string): Place => ({
  struct: schema.title ?? '',
  fields: [...place.fields, ...embedding(schema.title, name), name],
  path,
})

function checkFields(value: JsonObject, schema: OpenApiSchema, place: Place, unknown: string[]): void {
  const { properties = {}, additionalProperties } = schema
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const path = place.path === '' ? name : `${place.path}.${name}`
    const declared = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (declared !== undefined) checkValue(field, declared, into(schema, name, place, path), unknown)
    else if (typeof additionalProperties === 'object')
      checkValue(field, additionalProperties, { ...place, path }, unknown)
    else unknown.push(`unknown field "${path}"`)
  }
}

function checkItems(items: JsonValue[], schema: OpenApiSchema, place: Place, unknown: string[]): void {
  if (schema.items === undefined) return
  for (const [index, item] of items.entries())
    checkValue(item, schema.items, { ...place, path: `${place.path}[${index}]` }, unknown)
}

function checkValue(value: JsonValue, schema: OpenApiSchema, place: Place, unknown: string[]): void {
  const { type } = schema
  if (value === null || checkSpecial(value, schema, place) || type === undefined) return
  if (type === 'string') checkText(value, schema, place)
  else if (type === 'integer') checkInteger(value, schema, place)
  else if (type === 'boolean' || type === 'number') {
    if (typeof value !== type) mismatch(value, schema, place)
  } else if (type === 'array') {
    if (Array.isArray(value)) checkItems(value, schema, place, unknown)
    else mismatch(value, schema, place)
  } else if (!isObject(value)) mismatch(value, schema, place)
  else if (!isOpen(schema)) checkFields(value, schema, place, unknown)
}

/**
 * Checks that a body can be decoded into the Go type of a schema, as the server's JSON decoder does.
 * @returns the unknown fields (`unknown field "spec.foo"`).
 * @throws {ApiStatusError} 400 `Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal ...`
 */
export function checkGoDecoding(version: string, kind: string, body: JsonObject, schema: OpenApiSchema): string[] {
  const unknown: string[] = []
  try {
    checkFields(body, schema, { struct: schema.title ?? kind, fields: [], path: '' }, unknown)
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error
    throw badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${error.message}`)
  }
  return unknown
}

/** Whether Go leaves a value out (`omitempty`): empty lists and maps. Empty texts may be pointers, which are kept. */
const isOmitted = (value: JsonValue, schema: OpenApiSchema | undefined): boolean =>
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && typeof schema?.additionalProperties === 'object' && Object.keys(value).length === 0)

const emptyOf = (schema: OpenApiSchema): JsonValue | undefined => (schema.type === 'string' ? '' : undefined)

/** The value as it comes out of the Go type: without unknown fields, nulls, and empty lists and maps. */
export function throughGo(value: JsonValue, schema: OpenApiSchema): JsonValue {
  if (Array.isArray(value))
    return value.map((item) => (schema.items === undefined ? item : throughGo(item, schema.items)))
  if (!isObject(value) || isOpen(schema)) return value
  const { properties = {}, additionalProperties, required = [] } = schema
  const kept: [string, JsonValue][] = []
  for (const [name, field] of Object.entries(value)) {
    const declared = Object.hasOwn(properties, name) ? properties[name] : undefined
    const type = declared ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
    if (field === undefined || type === undefined) continue
    const decoded = field === null ? (declared === undefined ? emptyOf(type) : undefined) : throughGo(field, type)
    if (decoded === undefined || (declared !== undefined && !required.includes(name) && isOmitted(decoded, type)))
      continue
    kept.push([name, decoded])
  }
  return Object.fromEntries(kept)
}
