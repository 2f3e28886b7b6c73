import { isObject, type JsonObject, type JsonValue } from '../schema/json.ts'
import { atomOf, type ListAtom } from './atom.ts'
import { keyElement, type PathElement, valueElement } from './field-set.ts'

/** The step of an item in a set or map list. An item without a step gives an error. */
export function listElement(list: ListAtom, item: JsonValue): PathElement | Error {
  if (list.kind !== 'map')
    return typeof item === 'object'
      ? new Error("associative list without keys has an element that's no scalar")
      : valueElement(item)
  if (!isObject(item)) return new Error('associative list with keys may not have non-map elements')
  const keys: JsonObject = {}
  for (const name of list.keys) {
    const value = item[name] ?? atomOf(list.element).map?.fields[name]?.default
    if (value !== undefined) keys[name] = value
  }
  if (Object.keys(keys).length > 0) return keyElement(keys)
  const names = list.keys.map((name) => JSON.stringify(name)).join(' ')
  return new Error(
    `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
  )
}

/**
 * A list's items by step. Items without a step are left out. Of several items with the same step, only the first
 * counts.
 */
export function itemsByElement(list: ListAtom, items: readonly JsonValue[]): Map<PathElement, JsonValue> {
  const byElement = new Map<PathElement, JsonValue>()
  for (const item of items) {
    const element = listElement(list, item)
    if (!(element instanceof Error) && !byElement.has(element)) byElement.set(element, item)
  }
  return byElement
}
