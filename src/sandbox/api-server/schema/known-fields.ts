import { isObject, type JsonObject, type JsonValue, setField } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

const isOpen = (schema: OpenApiSchema): boolean =>
  schema.properties === undefined && typeof schema.additionalProperties !== 'object'

/** Whether the value is an empty list or map in an optional field. Such a value is dropped. */
const isEmpty = (value: JsonValue, schema: OpenApiSchema): boolean =>
  Array.isArray(value)
    ? value.length === 0
    : isObject(value) && typeof schema.additionalProperties === 'object' && Object.keys(value).length === 0

function keepFields(value: JsonObject, schema: OpenApiSchema, path: string, unknown: string[]): JsonObject {
  const { properties = {}, additionalProperties, required = [] } = schema
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const here = path === '' ? name : `${path}.${name}`
    const declared = Object.hasOwn(properties, name) ? properties[name] : undefined
    const type = declared ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
    if (type === undefined) unknown.push(`unknown field "${here}"`)
    else if (field === null) {
      if (declared === undefined && type.type === 'string') setField(kept, name, '')
    } else {
      const below = keepKnown(field, type, here, unknown)
      if (declared === undefined || required.includes(name) || !isEmpty(below, type)) setField(kept, name, below)
    }
  }
  return kept
}

/**
 * The stored form of a built-in kind's value: without unknown fields, nulls, and empty lists and maps. A field of the
 * wrong type is kept.
 */
export function keepKnown(value: JsonValue, schema: OpenApiSchema, path: string, unknown: string[]): JsonValue {
  const { items } = schema
  if (Array.isArray(value))
    return items === undefined ? value : value.map((item, i) => keepKnown(item, items, `${path}[${i}]`, unknown))
  return isObject(value) && !isOpen(schema) ? keepFields(value, schema, path, unknown) : value
}
