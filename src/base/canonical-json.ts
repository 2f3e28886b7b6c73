/** JSON that is the same for equal values, in any order of their fields. Fields with null or undefined are omitted. */
export const canonicalJson = (value: object): string => JSON.stringify(sorted(value))

/** A copy of the value with sorted field names. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(fields.map(([name, part]) => [name, sorted(part)]))
}
