import { isObject, type JsonObject, type JsonValue, setField } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

const META = new Set(['apiVersion', 'kind', 'metadata'])

interface Walk {
  unknown: string[]
}

const property = (schema: OpenApiSchema, name: string): OpenApiSchema | undefined =>
  schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined

function pruneFields(
  value: JsonObject,
  schema: OpenApiSchema,
  path: string,
  walk: Walk,
  keepsUnknown: boolean,
): JsonObject {
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const here = path === '' ? name : `${path}.${name}`
    const below = property(schema, name)
    const others = schema.additionalProperties
    if (schema['x-kubernetes-embedded-resource'] === true && META.has(name)) setField(kept, name, field)
    else if (below !== undefined) setField(kept, name, pruneValue(field, below, here, walk))
    else if (typeof others === 'object') setField(kept, name, pruneValue(field, others, here, walk))
    else if (others === true || keepsUnknown)
      setField(kept, name, others === true && !keepsUnknown ? pruneValue(field, {}, here, walk) : field)
    else walk.unknown.push(here)
  }
  return kept
}

/** Prunes a value. A node that preserves unknown fields keeps all fields below it, unless a deeper schema prunes. */
function pruneValue(value: JsonValue, schema: OpenApiSchema, path: string, walk: Walk): JsonValue {
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true
  if (Array.isArray(value)) return value.map((item, i) => pruneItem(item, schema, `${path}[${i}]`, walk, keepsUnknown))
  return isObject(value) ? pruneFields(value, schema, path, walk, keepsUnknown) : value
}

function pruneItem(item: JsonValue, schema: OpenApiSchema, path: string, walk: Walk, keepsUnknown: boolean): JsonValue {
  if (schema.items !== undefined) return pruneValue(item, schema.items, path, walk)
  return keepsUnknown ? item : pruneValue(item, {}, path, walk)
}

/** A copy of an object without unknown fields, and their sorted paths. */
export function prune(object: JsonObject, schema: OpenApiSchema): { object: JsonObject; unknown: string[] } {
  const walk: Walk = { unknown: [] }
  const root = { ...schema, 'x-kubernetes-embedded-resource': true }
  const kept = pruneValue(object, root, '', walk) as JsonObject
  return { object: kept, unknown: walk.unknown.sort() }
}
