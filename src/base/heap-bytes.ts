/** Approximate bytes that V8 takes for a value parsed from JSON: small values take many times their text. */
export function heapBytes(value: unknown): number {
  if (typeof value === 'string') return 24 + value.length * (isWide.test(value) ? 2 : 1)
  if (typeof value !== 'object' || value === null) return 8
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 8 + heapBytes(item), 32)
  let bytes = 56
  // Each unique field name takes a description of its own.
  for (const [name, field] of Object.entries(value)) bytes += 64 + name.length + heapBytes(field)
  return bytes
}

/** Characters that take two bytes each, which widens their whole text. */
const isWide = /[^\0-\xff]/
