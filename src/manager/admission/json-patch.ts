import { type PatchOperation, pointer } from '../../base/json-patch.ts'

/**
 * The operations that set and remove fields of the object at `path`. A field to remove must exist.
 * @param present whether the object exists
 */
export function patchFields(path: string, present: boolean, changes: ReadonlyMap<string, unknown>): PatchOperation[] {
  if (changes.size === 0) return []
  if (!present) return [{ op: 'add', path, value: Object.fromEntries(changes) }]
  return [...changes].map(([field, value]) =>
    value === undefined
      ? { op: 'remove', path: pointer(path, field) }
      : { op: 'add', path: pointer(path, field), value },
  )
}
