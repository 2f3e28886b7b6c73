import { byCodePoint } from '../go-text.ts'
import { at, clone, isObject, type JsonObject, type JsonValue, listOf, textOf } from '../schema/json.ts'
import { EMPTY, FieldSet } from './field-set.ts'

export type Operation = 'Apply' | 'Update'

/** An entry of `metadata.managedFields`: the paths that a manager owns, and the time of its last change. */
export interface ManagedEntry {
  manager: string
  operation: Operation
  apiVersion: string
  /** Empty for the main resource. */
  subresource: string
  /** RFC 3339; undefined if the manager never changed a value, because it applied existing values. */
  time: string | undefined
  set: FieldSet
}

/**
 * Text that identifies an entry. The version of an applier may change within an entry; each version of an updater has
 * its own entry.
 */
export const identity = (entry: Pick<ManagedEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string =>
  JSON.stringify([
    entry.manager,
    entry.operation,
    entry.operation === 'Apply' ? '' : entry.apiVersion,
    entry.subresource,
  ])

export type Managers = ReadonlyMap<string, ManagedEntry>

function decodeEntry(entry: JsonValue): ManagedEntry | undefined {
  if (!isObject(entry) || entry.fieldsType !== 'FieldsV1') return undefined
  const { operation } = entry
  if (operation !== 'Apply' && operation !== 'Update') return undefined
  const set = entry.fieldsV1 === undefined ? EMPTY : FieldSet.fromFieldsV1(entry.fieldsV1)
  const apiVersion = textOf(entry.apiVersion)
  if (set === undefined || apiVersion === '') return undefined
  const time = typeof entry.time === 'string' ? entry.time : undefined
  return { manager: textOf(entry.manager), operation, apiVersion, subresource: textOf(entry.subresource), time, set }
}

/** Why the entries of an object cannot be read; undefined if they can be read. */
export const managedFieldsProblem = (object: JsonObject): string | undefined =>
  decodeManagedFields(object) === undefined ? 'metadata.managedFields has an entry that cannot be read' : undefined

/** The entries of an object; undefined if one is malformed. */
export function decodeManagedFields(object: JsonObject | undefined): Managers | undefined {
  const entries = listOf(at(object, 'metadata', 'managedFields')).map(decodeEntry)
  if (entries.includes(undefined)) return undefined
  return new Map((entries as ManagedEntry[]).map((entry) => [identity(entry), entry]))
}

/** Whether a client resets the owners: it sends an empty list, or a list with one empty entry. */
export function asksForReset(object: JsonObject): boolean {
  const entries = at(object, 'metadata', 'managedFields')
  if (!Array.isArray(entries)) return false
  return entries.length === 0 || (entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0)
}

const seconds = (time: string | undefined): number => (time === undefined ? 0 : Math.floor(Date.parse(time) / 1000))

const inOrder = (a: ManagedEntry, b: ManagedEntry): number =>
  byCodePoint(a.operation, b.operation) ||
  seconds(a.time) - seconds(b.time) ||
  byCodePoint(a.manager, b.manager) ||
  byCodePoint(a.apiVersion, b.apiVersion) ||
  byCodePoint(a.subresource, b.subresource)

const encodeEntry = (entry: ManagedEntry): JsonObject => ({
  ...(entry.manager === '' ? {} : { manager: entry.manager }),
  operation: entry.operation,
  apiVersion: entry.apiVersion,
  ...(entry.time === undefined ? {} : { time: entry.time }),
  fieldsType: 'FieldsV1',
  fieldsV1: entry.set.toFieldsV1(),
  ...(entry.subresource === '' ? {} : { subresource: entry.subresource }),
})

export function withoutManagedFields(object: JsonObject): JsonObject {
  if (!isObject(object.metadata)) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** A copy of the object with these managed fields. */
export function encodeManagedFields(object: JsonObject, managers: Managers): JsonObject {
  const bare = withoutManagedFields(clone(object))
  if (managers.size === 0) return bare
  const managedFields = [...managers.values()].sort(inOrder).map(encodeEntry)
  return { ...bare, metadata: { ...(isObject(bare.metadata) ? bare.metadata : {}), managedFields } }
}
