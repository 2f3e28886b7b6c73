import { clone, fieldOf, isObject, type JsonObject, type JsonValue, setField } from '../schema/json.ts'

/** Applies a JSON merge patch (RFC 7386). Target and patch do not change, and share no part with the result. */
export function applyMergePatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return clone(patch)
  const merged: JsonObject = isObject(target) ? clone(target) : {}
  for (const [name, change] of Object.entries(patch)) {
    if (change === undefined) continue
    if (change === null) delete merged[name]
    else setField(merged, name, applyMergePatch(fieldOf(merged, name) ?? null, change))
  }
  return merged
}
