import { clone, fieldOf, isObject, type JsonObject, type JsonValue, sameJson, setField } from '../schema/json.ts'

/** Applies a JSON merge patch (RFC 7386). Neither the target nor the patch is changed, and the answer shares nothing. */
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

/** The merge patch that makes `to` of `from`. A null inside an object of `to` cannot be expressed, and is left out. */
export function diffMergePatch(from: JsonValue, to: JsonValue): JsonValue {
  if (!isObject(from) || !isObject(to)) return clone(to)
  const patch: JsonObject = {}
  for (const name of Object.keys(from)) if (fieldOf(to, name) === undefined) setField(patch, name, null)
  for (const [name, wanted] of Object.entries(to)) {
    const present = fieldOf(from, name)
    if (wanted === undefined || sameJson(present, wanted)) continue
    setField(patch, name, isObject(present) && isObject(wanted) ? diffMergePatch(present, wanted) : clone(wanted))
  }
  return patch
}
