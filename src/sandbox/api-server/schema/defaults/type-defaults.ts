import type { JsonObject } from '../json.ts'

/** What Go's defaulters do to a value of a type, by the type's name. The value is not changed. */
export type TypeDefaults = Readonly<Record<string, (value: JsonObject) => JsonObject>>

const isUnset = (value: unknown): boolean => value === undefined || value === null || value === '' || value === 0

/**
 * The value with fields that are not set. Zero and the empty text count as not set, as Go's zero values do; a zero that
 * means something is a pointer there, so such fields are checked by their defaulter.
 */
export function given(value: JsonObject, defaults: JsonObject): JsonObject {
  const missing = Object.entries(defaults).filter(([name]) => isUnset(value[name]))
  return missing.length === 0 ? value : { ...value, ...Object.fromEntries(missing) }
}

/** The value with fields that are absent; a zero is kept. For fields that are pointers in Go. */
export function absent(value: JsonObject, defaults: JsonObject): JsonObject {
  const missing = Object.entries(defaults).filter(([name]) => value[name] === undefined || value[name] === null)
  return missing.length === 0 ? value : { ...value, ...Object.fromEntries(missing) }
}
