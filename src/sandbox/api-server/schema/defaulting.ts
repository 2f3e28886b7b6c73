import { clone, isObject, type JsonObject, type JsonValue, setField } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

const property = (schema: OpenApiSchema, name: string): OpenApiSchema | undefined =>
  schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined

/** A null where none may be counts as absent: it takes the default, or goes. */
const isVoid = (value: JsonValue | undefined, schema: OpenApiSchema | undefined): boolean =>
  value === undefined || (value === null && schema !== undefined && schema.nullable !== true)

function defaultFields(value: JsonObject, schema: OpenApiSchema): JsonObject {
  const full: JsonObject = {}
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  for (const [name, field] of Object.entries(value)) {
    const below = property(schema, name) ?? others
    if (field !== undefined && !isVoid(field, below)) setField(full, name, defaultValue(field, below))
    else if (below?.default !== undefined) setField(full, name, defaultValue(clone(below.default), below))
  }
  for (const [name, below] of Object.entries(schema.properties ?? {}))
    if (below.default !== undefined && !Object.hasOwn(full, name))
      setField(full, name, defaultValue(clone(below.default), below))
  return full
}

function defaultValue(value: JsonValue, schema: OpenApiSchema | undefined): JsonValue {
  if (schema === undefined) return value
  if (isObject(value)) return defaultFields(value, schema)
  if (!Array.isArray(value)) return value
  const { items } = schema
  return value.map((item) =>
    items?.default !== undefined && isVoid(item, items) ? clone(items.default) : defaultValue(item, items),
  )
}

/** A copy of an object with the defaults of its schema; nulls that may not be there go, or become the default. */
export const applySchemaDefaults = (object: JsonObject, schema: OpenApiSchema): JsonObject =>
  defaultValue(object, schema) as JsonObject
