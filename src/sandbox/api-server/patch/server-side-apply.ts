import { applySchemaDefaults } from '../schema/defaulting.ts'
import { at, clone, type JsonObject, objectOf, sameJson, textOf } from '../schema/json.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import { badRequest, internalFailure } from '../status.ts'
import { type Conflict, conflictError } from './apply-conflicts.ts'
import type { TypeRef } from './atom.ts'
import { EMPTY, FieldSet, fieldPath } from './field-set.ts'
import {
  asksForReset,
  decodeManagedFields,
  encodeManagedFields,
  identity,
  type ManagedEntry,
  type Managers,
  type Operation,
  withoutManagedFields,
} from './managed-fields.ts'
import {
  type Comparison,
  compareTyped,
  mergeTyped,
  removeItems,
  toFieldSet,
  typeProblem,
  withNamedFields,
} from './typed-value.ts'

/** The writer's data for an entry in `metadata.managedFields`. */
export interface FieldWriter {
  /** The `fieldManager`, or else the start of the user agent; at most 128 characters. */
  manager: string
  /** Version of the write, such as `apps/v1`. */
  apiVersion: string
  /** Name of the subresource, such as `status`; absent for the main resource. */
  subresource?: string
  /** RFC 3339 with whole seconds: `2026-01-02T03:04:05Z`. */
  time: string
  /**
   * Paths that this endpoint resets, so writers do not own them. On the main resource, this is `status`:
   * `[['status']]`.
   */
  resetFields?: readonly (readonly string[])[]
}

export interface ApplyRequest extends FieldWriter {
  /** The kind of the endpoint; absent if the caller has already checked it. */
  kind?: string
  /** The stored object; undefined if the name is free. */
  live: JsonObject | undefined
  /** The object that the user applies, as sent (decoded, without defaults). */
  applied: JsonObject
  /** The schema of the kind, with metadata (`typeSchema` of a custom resource). */
  schema: OpenApiSchema
  /** Whether to take fields from other managers instead of reporting a conflict. */
  force: boolean
}

export interface UpdateRequest extends FieldWriter {
  /** The stored object; undefined for a creation. */
  live: JsonObject | undefined
  /** The object to store, after the patch, the defaults and admission. */
  updated: JsonObject
  schema: OpenApiSchema
}

// Fields without an owner: the object's identity, and the server's own fields (apimachinery,
// managedfields/internal/stripmeta.go).
const nobodys = FieldSet.of(
  ...[['apiVersion'], ['kind'], ['metadata']].map(fieldPath),
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name) => fieldPath(['metadata', name])),
)

const resetSet = ({ resetFields = [] }: FieldWriter): FieldSet => FieldSet.of(...resetFields.map(fieldPath))

const without = (comparison: Comparison, gone: FieldSet): Comparison => ({
  removed: comparison.removed.recursiveDifference(gone),
  modified: comparison.modified.recursiveDifference(gone),
  added: comparison.added.recursiveDifference(gone),
})

const entryOf = (writer: FieldWriter, operation: Operation, set: FieldSet): ManagedEntry => ({
  manager: writer.manager === '' ? 'unknown' : writer.manager,
  operation,
  apiVersion: writer.apiVersion,
  subresource: writer.subresource ?? '',
  time: undefined,
  set,
})

const kept = (managers: Managers): Managers => new Map([...managers].filter(([, entry]) => !entry.set.isEmpty))

const changedSets = (managers: Managers, change: (entry: ManagedEntry, id: string) => FieldSet): Managers =>
  kept(new Map([...managers].map(([id, entry]) => [id, { ...entry, set: change(entry, id) }])))

/**
 * Removes the fields that a write changed or removed from all managers except `self`. Here, managers of all versions
 * share one schema.
 */
function takeFrom(managers: Managers, self: string, comparison: Comparison): Managers {
  const taken = comparison.modified.union(comparison.added).union(comparison.removed)
  return changedSets(managers, (entry, id) => (id === self ? entry.set : entry.set.difference(taken)))
}

function conflictsOf(managers: Managers, self: string, comparison: Comparison): Conflict[] {
  const changed = comparison.modified.union(comparison.added)
  return [...managers].flatMap(([id, entry]) =>
    id === self
      ? []
      : entry.set
          .intersection(changed)
          .paths()
          .map((path) => ({ entry, path })),
  )
}

/** Removes fields that the manager applied earlier but not now, unless another manager owns them. */
function prune(type: TypeRef, merged: JsonObject, managers: Managers, last: FieldSet): JsonObject {
  if (last.isEmpty) return merged
  const named = (set: FieldSet) => withNamedFields(type, set)
  const without = (set: FieldSet): JsonObject => objectOf(removeItems(type, merged, set))
  const mergedSet = named(toFieldSet(type, merged))
  const pruned = without(named(last))
  const owned = [...managers.values()].reduce((all, entry) => all.union(entry.set), EMPTY)
  const withOwned = without(mergedSet.difference(named(toFieldSet(type, pruned)).union(named(owned))))
  const gone = mergedSet.difference(named(toFieldSet(type, withOwned)))
  return without(gone.intersection(named(last)))
}

interface Applied {
  object: JsonObject
  managers: Managers
  conflicts: Conflict[]
}

function applyMerge(request: ApplyRequest, live: JsonObject, managers: Managers): Applied {
  const type: TypeRef = { schema: request.schema, preserve: false }
  const merged = objectOf(mergeTyped(type, live, request.applied))
  const set = toFieldSet(type, request.applied).recursiveDifference(resetSet(request))
  const mine = entryOf(request, 'Apply', set)
  const self = identity(mine)
  const last = managers.get(self)
  const withMine = new Map(managers).set(self, { ...mine, time: last?.time })
  const object = prune(type, merged, withMine, last?.set ?? EMPTY)
  const comparison = without(compareTyped(type, live, object), resetSet(request))
  const conflicts = conflictsOf(withMine, self, comparison)
  const changed = !sameJson(live, object)
  const stripped = changedSets(takeFrom(withMine, self, comparison), (entry, id) =>
    id === self ? entry.set.difference(nobodys) : entry.set,
  )
  const mineNow = stripped.get(self)
  if (changed && mineNow !== undefined)
    return { object, managers: new Map(stripped).set(self, { ...mineNow, time: request.time }), conflicts }
  return { object, managers: stripped, conflicts }
}

function updateMerge(request: UpdateRequest, live: JsonObject, updated: JsonObject, managers: Managers): Managers {
  const type: TypeRef = { schema: request.schema, preserve: false }
  const comparison = without(compareTyped(type, live, updated), resetSet(request))
  const set = comparison.modified.union(comparison.added).difference(nobodys)
  // This includes the writer's own entry: the writer loses changed fields here, and gets them back from the union
  // below.
  const others = takeFrom(managers, '', comparison)
  if (set.isEmpty) return others
  const mine = entryOf(request, 'Update', set)
  const previous = others.get(identity(mine))
  const all = previous === undefined ? set : set.union(previous.set)
  return new Map(others).set(identity(mine), { ...mine, set: all, time: request.time })
}

const identified = (object: JsonObject): string => {
  const [group = '', version = group] = textOf(object.apiVersion).split('/')
  const gv = textOf(object.apiVersion).includes('/') ? `${group}/${version}` : `/${version}`
  return `${gv}, Kind=${textOf(object.kind)}`
}

function checkApplied({ applied, apiVersion, kind, schema }: ApplyRequest): void {
  if (applied.apiVersion !== apiVersion || (kind !== undefined && applied.kind !== kind))
    throw badRequest(`invalid object type: ${identified(applied)}`)
  if (at(applied, 'metadata', 'managedFields') !== undefined && at(applied, 'metadata', 'managedFields') !== null)
    throw badRequest('metadata.managedFields must be nil')
  const problem = typeProblem({ schema, preserve: false }, applied)
  if (problem === undefined) return
  const name = `${textOf(at(applied, 'metadata', 'namespace'))}/${textOf(at(applied, 'metadata', 'name'))}`
  throw internalFailure(`failed to create typed patch object (${name}; ${identified(applied)}): ${problem}`)
}

/** The owners of an object that was written before the first apply: one manager owns everything. */
function firstManagers(request: ApplyRequest, live: JsonObject): Managers {
  const before = { ...request, manager: 'before-first-apply', updated: live }
  return updateMerge(before, nothingYet(request.schema), live, new Map())
}

/**
 * Server-side apply. Merges the applied object into the live object, removes fields that the manager owned and no
 * longer applies, and updates `metadata.managedFields`. The caller sets defaults, validates the result, and compares it
 * with `live`.
 * @throws {ApiStatusError} 409 with a cause for each field that another manager owns, unless `force`; 400 when
 * `metadata.managedFields` or another kind is applied; 500 with `failed to create typed patch object (...)` for a value
 * that does not fit the schema
 */
export function applyServerSide(request: ApplyRequest): JsonObject {
  checkApplied(request)
  const live = withoutManagedFields(request.live ?? {})
  const known = decodeManagedFields(request.live)
  if (known === undefined) throw internalFailure('failed to decode managed fields: metadata.managedFields is malformed')
  const managers = known.size === 0 && request.live !== undefined ? firstManagers(request, live) : known
  const result = applyMerge(request, live, managers)
  if (!request.force && result.conflicts.length > 0) throw conflictError(result.conflicts)
  return encodeManagedFields(result.object, result.managers)
}

/**
 * The base of a new object. For built-in kinds, it has the structs of the Go type, which exist before any write, so
 * that managers do not own them.
 */
const nothingYet = (schema: OpenApiSchema): JsonObject =>
  schema['x-kubernetes-group-version-kind'] === undefined ? {} : applySchemaDefaults({}, schema)

/**
 * The owners before an update: the owners that the update sends, or else the stored owners. A write to a subresource
 * cannot change the owners.
 */
function startingManagers({ live, updated, subresource }: UpdateRequest): Managers {
  const stored = decodeManagedFields(live) ?? new Map()
  if (subresource !== undefined && subresource !== '') return stored
  if (asksForReset(updated)) return new Map()
  const sent = decodeManagedFields(updated)
  return sent === undefined || sent.size === 0 ? stored : sent
}

/**
 * The object with updated `metadata.managedFields`, for any write except apply. The writer owns its changes, other
 * managers lose them, and empty entries are dropped. With `managedFields: [{}]` or `[]`, the object has no owners until
 * the first apply.
 */
export function trackUpdate(request: UpdateRequest): JsonObject {
  const managers = startingManagers(request)
  const updated = withoutManagedFields(request.updated)
  if (managers.size === 0 && request.live !== undefined) return clone(updated)
  return encodeManagedFields(
    updated,
    updateMerge(request, withoutManagedFields(request.live ?? nothingYet(request.schema)), updated, managers),
  )
}
