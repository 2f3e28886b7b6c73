/**
 * Approximate bytes that V8 needs for a value parsed from JSON. A small value needs many times as many bytes as its
 * text.
 */
export function heapBytes(value: unknown): number {
  if (typeof value === 'string') return 24 + value.length * (isWide.test(value) ? 2 : 1)
  if (typeof value !== 'object' || value === null) return 8
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 8 + heapBytes(item), 32)
  let bytes = 56
  // V8 stores a description for each unique field name.
  for (const [name, field] of Object.entries(value)) bytes += 64 + name.length + heapBytes(field)
  return bytes
}

/** Matches a character above U+00FF. V8 stores a text with such a character in two bytes per character. */
const isWide = /[^\0-\xff]/
