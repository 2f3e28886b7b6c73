import { goValue } from '../go-text.ts'
import { clone, isObject, type JsonObject, type JsonValue, sameJson, setField } from '../schema/json.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import { badRequest, internalFailure, unprocessable } from '../status.ts'

const DIRECTIVE = '$patch'
const RETAIN_KEYS = '$retainKeys'
const DELETE_FROM = '$deleteFromPrimitiveList'
const ELEMENT_ORDER = '$setElementOrder'

/** What the schema says about a field: how its value is patched, and the schema of what is below (of an item, for lists). */
interface PatchMeta {
  strategy: string
  mergeKey: string
  below: OpenApiSchema
}

// What the schema leaves open (a map of the user, an object without a schema) is merged field by field.
const ANYTHING: OpenApiSchema = { type: 'object', additionalProperties: true }

function metaOf(schema: OpenApiSchema, name: string): PatchMeta {
  const named =
    schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
  const open = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : ANYTHING
  if (named === undefined && schema.properties !== undefined && schema.additionalProperties === undefined)
    throw internalFailure(`unable to find api field in struct ${schemaName(schema)} for the json field "${name}"`)
  const field = named ?? open
  return {
    strategy: field['x-kubernetes-patch-strategy']?.split(',').find((word) => word !== 'retainKeys') ?? '',
    mergeKey: field['x-kubernetes-patch-merge-key'] ?? '',
    below: field.items ?? field,
  }
}

const schemaName = (schema: OpenApiSchema): string => schema.title ?? 'Struct'

const isDirective = (value: JsonValue): value is JsonObject => isObject(value) && DIRECTIVE in value

/** The value without what carries directives; undefined when nothing is left. */
function withoutDirectives(value: JsonValue): JsonValue | undefined {
  if (isDirective(value)) return undefined
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((entry) => entry !== undefined)
  if (!isObject(value)) return value
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    const left = field === undefined ? undefined : withoutDirectives(field)
    if (left !== undefined) setField(kept, name, left)
  }
  return kept
}

function withoutNulls(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value))
    if (field !== null && field !== undefined) setField(kept, name, withoutNulls(field))
  return kept
}

const kindOf = (value: JsonValue): string =>
  Array.isArray(value) ? 'slice' : value === null ? 'nil' : isObject(value) ? 'map' : typeof value

/** The one kind of all items. @throws {ApiStatusError} when they differ, or are lists. */
function itemKind(...lists: JsonValue[][]): string {
  const kinds = new Set(lists.flat().map(kindOf))
  if (kinds.has('slice')) throw unprocessable(new Error('lists of lists are not supported'))
  if (kinds.size > 1) throw internalFailure(`list element types are not identical: ${lists.map(goValue).join(' ')}`)
  return [...kinds][0] ?? 'nil'
}

function keyOf(item: JsonValue, mergeKey: string): JsonValue {
  if (mergeKey === '') return item
  if (!isObject(item)) throw internalFailure(`expected a map[string]interface {}, but received a ${kindOf(item)}`)
  const value = Object.hasOwn(item, mergeKey) ? item[mergeKey] : undefined
  if (value === undefined)
    throw internalFailure(`map: ${goValue(item)} does not contain declared merge key: ${mergeKey}`)
  return value
}

const positionOf = (list: readonly JsonValue[], key: JsonValue, mergeKey: string): number =>
  list.findIndex((item) => (mergeKey === '' ? sameJson(item, key) : isObject(item) && sameJson(item[mergeKey], key)))

/**
 * The order that the patch asks for, with the items that only the server has kept in their place: each goes before the
 * item of the patch that it stood before in the live list.
 */
function inOrder(merged: JsonValue[], order: JsonValue[], live: JsonValue[], mergeKey: string): JsonValue[] {
  const rank = (list: JsonValue[], item: JsonValue) => positionOf(list, keyOf(item, mergeKey), mergeKey)
  const wanted = merged.filter((item) => rank(order, item) >= 0).sort((a, b) => rank(order, a) - rank(order, b))
  const others = merged.filter((item) => rank(order, item) < 0).sort((a, b) => rank(live, a) - rank(live, b))
  const result: JsonValue[] = []
  while (wanted.length > 0 && others.length > 0) {
    const [first, other] = [rank(live, wanted[0] as JsonValue), rank(live, others[0] as JsonValue)]
    result.push((first >= 0 && other >= 0 && other < first ? others : wanted).shift() as JsonValue)
  }
  return [...result, ...wanted, ...others]
}

/** Takes the items with `$patch` out of the patch and does what they say to the live list. */
function obeyItems(live: JsonValue[], patch: JsonValue[], mergeKey: string): { live: JsonValue[]; patch: JsonValue[] } {
  let kept = live
  let replaced = false
  for (const item of patch.filter(isDirective)) {
    const directive = item[DIRECTIVE]
    if (directive === 'delete') {
      const key = keyOf(item, mergeKey)
      kept = kept.filter((entry) => !sameJson(keyOf(entry, mergeKey), key))
    } else if (directive === 'replace') replaced = true
    else if (directive === 'merge') throw internalFailure('merging lists cannot yet be specified in the patch')
    else throw internalFailure(`unknown patch type: ${goValue(directive)} in map: ${goValue(item)}`)
  }
  const plain = patch.filter((item) => !isDirective(item))
  return replaced ? { live: plain, patch: [] } : { live: kept, patch: plain }
}

function mergeItems(live: JsonValue[], patch: JsonValue[], meta: PatchMeta): JsonValue[] {
  const merged = [...live]
  for (const item of patch) {
    const position = positionOf(merged, keyOf(item, meta.mergeKey), meta.mergeKey)
    if (position < 0) merged.push(item)
    else merged[position] = mergeMap(merged[position] as JsonObject, item as JsonObject, meta.below)
  }
  return merged
}

function distinct(items: JsonValue[]): JsonValue[] {
  return items.filter((entry, index) => positionOf(items, entry, '') === index)
}

function mergeList(live: JsonValue[], patch: JsonValue[], meta: PatchMeta): JsonValue[] {
  if (meta.strategy !== 'merge') return patch
  if (live.length === 0 && patch.length === 0) return live
  if (itemKind(live, patch) !== 'map') return inOrder(distinct([...live, ...patch]), patch, live, '')
  if (meta.mergeKey === '') throw internalFailure(`cannot merge lists without merge key for ${schemaName(meta.below)}`)
  const plain = obeyItems(live, patch, meta.mergeKey)
  return inOrder(mergeItems(plain.live, plain.patch, meta), plain.patch, plain.live, meta.mergeKey)
}

function asList(value: JsonValue | undefined): JsonValue[] | undefined {
  if (value === undefined || Array.isArray(value)) return value
  throw internalFailure(`expected a []interface {}, but received a ${kindOf(value)}`)
}

/** The items of the patch must come in the order that the directive gives. */
function checkOrder(patch: JsonValue[], order: JsonValue[], mergeKey: string): void {
  const items = patch.filter((entry) => !isDirective(entry))
  if (order.length === 0 || items.length === 0) return
  let next = 0
  for (const wanted of order) {
    const current = items[next]
    if (current !== undefined && sameJson(keyOf(current, mergeKey), keyOf(wanted, mergeKey))) next++
  }
  if (next < items.length)
    throw internalFailure(
      `The order in patch list:\n${goValue(patch)}\n doesn't match ${ELEMENT_ORDER} list:\n${goValue(order)}\n`,
    )
}

/** Merges the list of a `$setElementOrder/name` directive and puts it in order. */
function mergeOrdered(
  live: JsonObject,
  patch: JsonObject,
  name: string,
  order: JsonValue[],
  schema: OpenApiSchema,
): void {
  const meta = metaOf(schema, name)
  const [present, change] = [asList(live[name] ?? undefined), asList(patch[name] ?? undefined)]
  checkOrder(change ?? [], order, meta.mergeKey)
  if (present === undefined && change === undefined) return
  const merged =
    change === undefined
      ? (present as JsonValue[])
      : present === undefined
        ? (withoutDirectives(change) as JsonValue[])
        : mergeList(present, change, meta)
  setField(live, name, inOrder(merged, order, present ?? [], meta.mergeKey))
}

function retainKeys(live: JsonObject, patch: JsonObject): void {
  const keys = patch[RETAIN_KEYS]
  if (keys === undefined) return
  const kept = new Set(Array.isArray(keys) ? keys : retainKeysProblem())
  for (const [name, value] of Object.entries(patch)) {
    const special = name === RETAIN_KEYS || name.startsWith(DELETE_FROM) || name.startsWith(ELEMENT_ORDER)
    if (value !== null && !special && !kept.has(name)) retainKeysProblem()
  }
  for (const name of Object.keys(live)) if (!kept.has(name)) delete live[name]
}

const retainKeysProblem = (): never => {
  throw badRequest('invalid patch format of retainKeys')
}

function listOfDirective(
  name: string,
  value: JsonValue | undefined,
  prefix: string,
  problem: string,
): [string, JsonValue[]] {
  if (name.charAt(prefix.length) !== '/') throw badRequest(problem)
  return [name.slice(prefix.length + 1), asList(value) ?? []]
}

function mergeField(live: JsonObject, name: string, change: JsonValue, schema: OpenApiSchema): void {
  const present = Object.hasOwn(live, name) ? live[name] : undefined
  if (isObject(present) && isObject(change)) {
    const meta = metaOf(schema, name)
    setField(live, name, meta.strategy === 'replace' ? change : mergeMap(present, change, meta.below))
  } else if (Array.isArray(present) && Array.isArray(change)) {
    setField(live, name, mergeList(present, change, metaOf(schema, name)))
  } else {
    const left = withoutDirectives(withoutNulls(change))
    if (left === undefined) delete live[name]
    else setField(live, name, left)
  }
}

function deleteItems(live: JsonObject, name: string, gone: JsonValue[]): void {
  const present = Object.hasOwn(live, name) ? live[name] : undefined
  if (Array.isArray(present)) live[name] = present.filter((entry) => positionOf(gone, entry, '') < 0)
}

/** Merges `patch` into `live`, which is changed. */
function mergeMap(live: JsonObject, patch: JsonObject, schema: OpenApiSchema): JsonObject {
  if (DIRECTIVE in patch) {
    const { [DIRECTIVE]: directive, ...rest } = patch
    if (directive === 'replace') return rest
    if (directive === 'delete') return {}
    throw internalFailure(`unknown patch type: ${goValue(directive)} in map: ${goValue(patch)}`)
  }
  retainKeys(live, patch)
  const done = new Set([RETAIN_KEYS])
  for (const [name, value] of Object.entries(patch)) {
    if (!name.startsWith(ELEMENT_ORDER)) continue
    const [list, order] = listOfDirective(name, value, ELEMENT_ORDER, 'invalid patch format of setElementOrder list')
    mergeOrdered(live, patch, list, order, schema)
    done.add(name).add(list)
  }
  for (const [name, change] of Object.entries(patch)) {
    if (done.has(name) || change === undefined) continue
    if (name.startsWith(DELETE_FROM)) {
      deleteItems(live, ...listOfDirective(name, change, DELETE_FROM, 'invalid patch format of primitive list'))
    } else if (change === null) delete live[name]
    else mergeField(live, name, change, schema)
  }
  return live
}

/**
 * Applies a strategic merge patch to an object, which stays as it is. The schema of the built-in kind names the lists
 * that are merged and by which key; directives are `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/x` and
 * `$setElementOrder/x`.
 * @throws {ApiStatusError} 400, 422 or 500, as the server, for a patch whose directives or lists do not fit the schema.
 */
export function applyStrategicMergePatch(target: JsonObject, patch: JsonObject, schema: OpenApiSchema): JsonObject {
  return mergeMap(clone(target), clone(patch), schema)
}
