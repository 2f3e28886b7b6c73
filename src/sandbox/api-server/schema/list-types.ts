import { duplicate, type FieldIssue, invalidValue, item, key } from '../field-issue.ts'
import { goJson } from '../go-text.ts'
import { isObject, type JsonObject, type JsonValue, sameJson } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

/** The positions of values that occur for the second time. The positions of further occurrences are left out. */
function seconds(values: readonly JsonValue[]): number[] {
  const counts = new Map<string, number>()
  return values.flatMap((value, index) => {
    const text = goJson(value)
    const count = (counts.get(text) ?? 0) + 1
    counts.set(text, count)
    return count === 2 ? [index] : []
  })
}

function keysOf(value: JsonValue, names: readonly string[]): JsonObject {
  if (!isObject(value)) return {}
  return Object.fromEntries(names.filter((name) => value[name] !== undefined).map((name) => [name, value[name]]))
}

function listIssues(schema: OpenApiSchema, items: JsonValue[], field: string): FieldIssue[] {
  if (schema['x-kubernetes-list-type'] === 'set')
    return seconds(items).map((index) => duplicate(item(field, index), items[index] as JsonValue))
  if (schema['x-kubernetes-list-type'] !== 'map') return []
  const odd = items.findIndex((value) => value !== null && !isObject(value))
  if (odd >= 0)
    return [invalidValue(item(field, odd), items[odd] as JsonValue, 'must be an object for an array of list-type map')]
  const keys = items.map((value) => keysOf(value, schema['x-kubernetes-list-map-keys'] ?? []))
  return seconds(keys).map((index) => duplicate(item(field, index), keys[index] as JsonValue))
}

/** The item of the old list that corresponds to this item. Only items of map lists correspond to each other. */
export function oldItem(schema: OpenApiSchema, value: JsonValue, old: JsonValue | undefined): JsonValue | undefined {
  if (!Array.isArray(old) || !isObject(value) || schema['x-kubernetes-list-type'] !== 'map') return undefined
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  return old.find((other) => isObject(other) && keys.every((name) => sameJson(other[name], value[name])))
}

/** Duplicate items of sets, and duplicate keys of map lists. */
export function validateListTypes(schema: OpenApiSchema, value: JsonValue, field = ''): FieldIssue[] {
  if (Array.isArray(value)) {
    const { items } = schema
    const below =
      items === undefined ? [] : value.flatMap((entry, i) => validateListTypes(items, entry, item(field, i)))
    return [...listIssues(schema, value, field), ...below]
  }
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, entry]) => {
    if (entry === undefined) return []
    const property =
      schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    if (property !== undefined) return validateListTypes(property, entry, field === '' ? name : `${field}.${name}`)
    const others = schema.additionalProperties
    return typeof others === 'object' ? validateListTypes(others, entry, key(field, name)) : []
  })
}
