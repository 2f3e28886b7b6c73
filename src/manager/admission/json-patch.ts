/** An operation of RFC 6902, of the kinds that admission needs. `add` replaces what is there. */
export type PatchOperation = { op: 'add'; path: string; value: unknown } | { op: 'remove'; path: string }

const escaped = (step: string): string => (/[~/]/.test(step) ? step.replaceAll('~', '~0').replaceAll('/', '~1') : step)

/** The path one step further (RFC 6901). */
export const pointer = (base: string, step: string): string => `${base}/${escaped(step)}`

/**
 * The operations that set and remove fields of the object at `path`, which is `present` now. A field that is to be removed
 * must be there.
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
