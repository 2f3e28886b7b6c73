import { clone, isObject, type JsonObject, type JsonValue, setField } from '../json.ts'
import type { OpenApiSchema } from '../open-api-schema.ts'
import { coreDefaults } from './core.ts'
import { otherDefaults } from './others.ts'
import type { TypeDefaults } from './type-defaults.ts'
import { workloadDefaults } from './workloads.ts'

const typeDefaults: TypeDefaults = { ...coreDefaults, ...workloadDefaults, ...otherDefaults }

// A Service's "ServiceReference" is not that of a webhook: apiregistration's is not served, so the name is enough.
const ownDefaults = (value: JsonObject, schema: OpenApiSchema): JsonObject =>
  schema.title !== undefined && Object.hasOwn(typeDefaults, schema.title)
    ? (typeDefaults[schema.title]?.(value) ?? value)
    : value

/** Go's zero values are printed where a field has no omitempty; the published schema says so with a default. */
function withSchemaDefaults(value: JsonObject, schema: OpenApiSchema): JsonObject {
  const missing = Object.entries(schema.properties ?? {}).filter(
    ([name, property]) => property.default !== undefined && property.default !== null && value[name] === undefined,
  )
  if (missing.length === 0) return value
  return {
    ...value,
    ...Object.fromEntries(missing.map(([name, property]) => [name, clone(property.default as JsonValue)])),
  }
}

function below(value: JsonObject, schema: OpenApiSchema): JsonObject {
  const full: JsonObject = {}
  const { properties = {}, additionalProperties } = schema
  for (const [name, field] of Object.entries(value)) {
    const declared = Object.hasOwn(properties, name) ? properties[name] : undefined
    const type = declared ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
    if (field !== undefined) setField(full, name, type === undefined ? field : withTypeDefaults(field, type))
  }
  return full
}

/** A copy with the defaults of a value's Go type and of all types below, outer ones first, as Go's defaulters run. */
export function withTypeDefaults(value: JsonValue, schema: OpenApiSchema): JsonValue {
  const { items } = schema
  if (Array.isArray(value))
    return items === undefined ? clone(value) : value.map((item) => withTypeDefaults(item, items))
  if (!isObject(value)) return value
  return below(withSchemaDefaults(ownDefaults(value, schema), schema), schema)
}

function zeroFields(schema: OpenApiSchema): JsonObject {
  const zero: JsonObject = {}
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const isStruct = isObject(property.default) && property.properties !== undefined
    if (isStruct) zero[name] = zeroFields(property)
    else if (property.default !== undefined) zero[name] = clone(property.default)
    else if (property.type === 'array' && schema.required?.includes(name)) zero[name] = null
  }
  return zero
}

/** An object of a Go type that nothing was written into yet: structs inside it are there, and empty. */
export const zeroObject = (schema: OpenApiSchema): JsonObject => zeroFields(schema)
