import { clone, isObject, type JsonObject, type JsonValue, setField } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

/** Defaults of a type that its schema does not have. They take precedence over the schema's defaults. */
export type OwnDefaults = (value: JsonObject, schema: OpenApiSchema) => JsonObject

const property = (schema: OpenApiSchema, name: string): OpenApiSchema | undefined =>
  schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined

/** Whether a value is absent. A null that the schema does not allow counts as absent. */
const isVoid = (value: JsonValue | undefined, schema: OpenApiSchema | undefined): boolean =>
  value === undefined || (value === null && schema !== undefined && schema.nullable !== true)

function defaultFields(value: JsonObject, schema: OpenApiSchema, own: OwnDefaults): JsonObject {
  const full: JsonObject = {}
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  for (const [name, field] of Object.entries(own(value, schema))) {
    const below = property(schema, name) ?? others
    if (field !== undefined && !isVoid(field, below)) setField(full, name, defaultValue(field, below, own))
    else if (below?.default !== undefined) setField(full, name, defaultValue(clone(below.default), below, own))
  }
  for (const [name, below] of Object.entries(schema.properties ?? {}))
    if (below.default !== undefined && !Object.hasOwn(full, name))
      setField(full, name, defaultValue(clone(below.default), below, own))
  return full
}

function defaultValue(value: JsonValue, schema: OpenApiSchema | undefined, own: OwnDefaults): JsonValue {
  if (schema === undefined) return value
  if (isObject(value)) return defaultFields(value, schema, own)
  if (!Array.isArray(value)) return value
  const { items } = schema
  return value.map((item) =>
    items?.default !== undefined && isVoid(item, items) ? clone(items.default) : defaultValue(item, items, own),
  )
}

/**
 * A copy of an object with its schema's defaults. A null that the schema does not allow gets the default, or is
 * dropped.
 */
export const applySchemaDefaults = (
  object: JsonObject,
  schema: OpenApiSchema,
  own: OwnDefaults = (value) => value,
): JsonObject => defaultValue(object, schema, own) as JsonObject
