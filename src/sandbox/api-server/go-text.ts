// Texts as Go prints them: the API server's errors quote values in this way.
import type { JsonValue } from './schema/json.ts'

/** A string as Go's `%q` prints it. */
export const goQuote = (text: string): string => JSON.stringify(text)

/** Go's order of strings: by UTF-8 bytes, which equals the order of code points. */
export const byCodePoint = (a: string, b: string): number =>
  a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const names = Object.keys(value).filter((name) => value[name] !== undefined)
  return Object.fromEntries(names.sort(byCodePoint).map((name) => [name, sorted(value[name] as JsonValue)]))
}

/** JSON as Go's json.Marshal writes a map[string]any: fields sorted by name. */
export const goJson = (value: JsonValue): string => JSON.stringify(sorted(value))

/** A number from JSON as Go's `%v` prints it. Exponents have at least two digits. */
export const goNumber = (value: number): string => String(value).replace(/e([+-])(\d)$/, 'e$10$2')

/** A value from JSON as Go's `%v` prints it: `map[a:1 b:[x y]]`, `<nil>`. */
export function goValue(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'number') return goNumber(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  const names = Object.keys(value).sort(byCodePoint)
  return `map[${names.map((name) => `${name}:${goValue(value[name])}`).join(' ')}]`
}
