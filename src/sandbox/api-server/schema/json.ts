/**
 * A value as `JSON.parse` returns it. Numbers are doubles: as in every JavaScript client, integers beyond 2^53 lose
 * digits.
 */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export interface JsonObject {
  [name: string]: JsonValue | undefined
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The value if it is an object, otherwise an empty object, for access to fields of a value that may be missing or of
 * another type.
 */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {})
/** The value if it is a list, otherwise an empty list. */
export const listOf = (value: unknown): JsonValue[] => (Array.isArray(value) ? (value as JsonValue[]) : [])
/** The value if it is a text, otherwise an empty text. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
/** The value if it is a number, otherwise 0. */
export const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** The value at a path of field names; undefined if something on the path is missing. */
export function at(value: unknown, ...path: (string | number)[]): JsonValue | undefined {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    here = (here as Record<string | number, unknown>)[step]
  }
  return here as JsonValue | undefined
}

/** Sets a field of any name. As in JSON.parse, `__proto__` becomes a plain field, not the prototype. */
export function setField(object: JsonObject, name: string, value: JsonValue): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
  else object[name] = value
}

/** The object's own field, not a field of the prototype. */
export const fieldOf = (object: JsonObject, name: string): JsonValue | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined

/** A deep copy. Undefined fields are left out, as in JSON. */
export function clone<T extends JsonValue>(value: T): T {
  if (Array.isArray(value)) return value.map(clone) as T
  if (!isObject(value)) return value
  const copy: JsonObject = {}
  for (const [name, field] of Object.entries(value)) if (field !== undefined) setField(copy, name, clone(field))
  return copy as T
}

/** Whether two values are the same JSON: field order does not matter, item order does. */
export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]))
  if (!isObject(a) || !isObject(b)) return false
  const names = Object.keys(a).filter((name) => a[name] !== undefined)
  return (
    names.length === Object.keys(b).filter((name) => b[name] !== undefined).length &&
    names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]))
  )
}
