import { clone, fieldOf, isObject, type JsonObject, type JsonValue, sameJson, setField } from '../schema/json.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import { badRequest, internalFailure } from '../status.ts'

const DIRECTIVE = '$patch'
const RETAIN_KEYS = '$retainKeys'
const DELETE_FROM = '$deleteFromPrimitiveList/'
const ELEMENT_ORDER = '$setElementOrder/'

/**
 * The parts of a field's schema that a patch needs: how the value is patched, and the schema of the value (for a list,
 * of an item).
 */
interface PatchMeta {
  strategy: string
  mergeKey: string
  below: OpenApiSchema
}

// Values without a schema (a user's map, an object without properties) are merged by field.
const ANYTHING: OpenApiSchema = { type: 'object', additionalProperties: true }

function metaOf({ properties = {}, additionalProperties }: OpenApiSchema, name: string): PatchMeta {
  const open = typeof additionalProperties === 'object' ? additionalProperties : ANYTHING
  const field = (Object.hasOwn(properties, name) ? properties[name] : undefined) ?? open
  return {
    strategy: field['x-kubernetes-patch-strategy']?.split(',').find((word) => word !== 'retainKeys') ?? '',
    mergeKey: field['x-kubernetes-patch-merge-key'] ?? '',
    below: field.items ?? field,
  }
}

const isDirective = (value: JsonValue): value is JsonObject => isObject(value) && DIRECTIVE in value

/** A new value, without nulls and directives; undefined if nothing remains. */
function plainValue(value: JsonValue): JsonValue | undefined {
  if (isDirective(value)) return undefined
  if (Array.isArray(value)) return value.map(plainValue).filter((entry) => entry !== undefined)
  if (!isObject(value)) return value
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    const left = field === undefined || field === null ? undefined : plainValue(field)
    if (left !== undefined) setField(kept, name, left)
  }
  return kept
}

function keyOf(item: JsonValue, mergeKey: string): JsonValue {
  if (mergeKey === '') return item
  const value = isObject(item) ? fieldOf(item, mergeKey) : undefined
  if (value === undefined) throw badRequest(`an item of the patch does not contain the declared merge key: ${mergeKey}`)
  return value
}

const positionOf = (list: readonly JsonValue[], key: JsonValue, mergeKey: string): number =>
  list.findIndex((item) => sameJson(mergeKey === '' || !isObject(item) ? item : item[mergeKey], key))

/**
 * The merged items in the order of the patch. An item that only the server has stays before the item that follows it in
 * the live list.
 */
function inOrder(merged: JsonValue[], order: JsonValue[], live: JsonValue[], mergeKey: string): JsonValue[] {
  const rank = (list: JsonValue[], item: JsonValue) => positionOf(list, keyOf(item, mergeKey), mergeKey)
  const wanted = merged.filter((item) => rank(order, item) >= 0).sort((a, b) => rank(order, a) - rank(order, b))
  const others = merged.filter((item) => rank(order, item) < 0).sort((a, b) => rank(live, a) - rank(live, b))
  const result: JsonValue[] = []
  while (wanted.length > 0 && others.length > 0) {
    const [first, other] = [rank(live, wanted[0]!), rank(live, others[0]!)]
    result.push((first >= 0 && other >= 0 && other < first ? others : wanted).shift()!)
  }
  return [...result, ...wanted, ...others]
}

function mergeItems(live: JsonValue[], patch: JsonValue[], { mergeKey, below }: PatchMeta): JsonValue[] {
  const merged = [...live]
  for (const item of patch) {
    const position = positionOf(merged, keyOf(item, mergeKey), mergeKey)
    if (position < 0) merged.push(item)
    else if (isObject(item)) merged[position] = mergeMap(merged[position] as JsonObject, item, below)
  }
  return merged
}

/** Applies the `$patch` items to the live list, and merges all other items by key. */
function mergeList(live: JsonValue[], patch: JsonValue[], meta: PatchMeta): JsonValue[] {
  if (meta.strategy !== 'merge') return patch
  const directives = patch.filter(isDirective)
  const plain = patch.filter((item) => !isDirective(item))
  if (directives.some((item) => item[DIRECTIVE] === 'replace')) return plain
  const gone = directives.map((item) => keyOf(item, meta.mergeKey))
  const kept = live.filter((item) => gone.every((key) => !sameJson(keyOf(item, meta.mergeKey), key)))
  return inOrder(mergeItems(kept, plain, meta), plain, kept, meta.mergeKey)
}

const asList = (value: JsonValue | undefined): JsonValue[] => {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : listProblem()
}
const listProblem = (): never => {
  throw internalFailure('a list field has a value that is not a list')
}

function mergeField(live: JsonObject, name: string, change: JsonValue, schema: OpenApiSchema): void {
  const present = fieldOf(live, name)
  const meta = metaOf(schema, name)
  if (isObject(present) && isObject(change))
    setField(live, name, meta.strategy === 'replace' ? change : mergeMap(present, change, meta.below))
  else if (Array.isArray(present) && Array.isArray(change)) setField(live, name, mergeList(present, change, meta))
  else {
    const left = change === null ? undefined : plainValue(change)
    if (left === undefined) delete live[name]
    else setField(live, name, left)
  }
}

function retainKeys(live: JsonObject, patch: JsonObject): void {
  const keys = patch[RETAIN_KEYS]
  if (keys !== undefined) for (const name of Object.keys(live)) if (!asList(keys).includes(name)) delete live[name]
}

const isSpecial = (name: string): boolean =>
  name === RETAIN_KEYS || name.startsWith(DELETE_FROM) || name.startsWith(ELEMENT_ORDER)

/** Merges `patch` into `live`. Changes `live`. */
function mergeMap(live: JsonObject, patch: JsonObject, schema: OpenApiSchema): JsonObject {
  if (DIRECTIVE in patch) {
    const { [DIRECTIVE]: directive, ...rest } = patch
    if (directive === 'replace') return rest
    if (directive === 'delete') return {}
    throw internalFailure(`unknown patch type: ${String(directive)}`)
  }
  retainKeys(live, patch)
  const before = { ...live }
  for (const [name, change] of Object.entries(patch))
    if (!isSpecial(name) && change !== undefined) mergeField(live, name, change, schema)
  for (const [name, value] of Object.entries(patch)) {
    const list = name.slice(name.indexOf('/') + 1)
    const present = fieldOf(live, list)
    if (!isSpecial(name) || !Array.isArray(present)) continue
    if (name.startsWith(DELETE_FROM)) live[list] = present.filter((entry) => positionOf(asList(value), entry, '') < 0)
    else if (name.startsWith(ELEMENT_ORDER))
      live[list] = inOrder(present, asList(value), asList(fieldOf(before, list)), metaOf(schema, list).mergeKey)
  }
  return live
}

/**
 * Applies a strategic merge patch to a copy of an object. The kind's schema names the lists that are merged, and their
 * keys. Directives are `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/x` and `$setElementOrder/x`.
 * @throws {ApiStatusError} 400 or 500 for a patch whose directives or lists do not fit the schema
 */
export function applyStrategicMergePatch(target: JsonObject, patch: JsonObject, schema: OpenApiSchema): JsonObject {
  return mergeMap(clone(target), clone(patch), schema)
}
