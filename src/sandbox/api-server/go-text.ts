// Texts as Go prints them (fmt, strconv, encoding/json): errors of the API server quote values this way.
import type { JsonValue } from './schema/json.ts'

const shortEscapes: Record<string, string> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0')

function quotedCharacter(character: string): string {
  const short = shortEscapes[character]
  if (short !== undefined) return short
  if (character === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) return character
  const code = character.codePointAt(0) as number
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
}

/** `%q` of a string: strconv.Quote. */
export const goQuote = (text: string): string => `"${Array.from(text, quotedCharacter).join('')}"`

// encoding/json writes these as escapes so that the text can stand inside HTML.
const htmlEscapes: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

/** A value of one of Go's own structs: its fields are capitalised and keep their order, unlike those of JSON. */
const isStruct = (names: readonly string[]): boolean => names.length > 0 && names.every((name) => /^[A-Z]/.test(name))

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const names = Object.keys(value).filter((name) => value[name] !== undefined)
  if (isStruct(names)) return Object.fromEntries(names.map((name) => [name, sorted(value[name] as JsonValue)]))
  return Object.fromEntries(names.sort(byCodePoint).map((name) => [name, sorted(value[name] as JsonValue)]))
}

/** Go's order of strings: by UTF-8 bytes, which is the order of code points. */
export function byCodePoint(a: string, b: string): number {
  if (a === b) return 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** json.Marshal of a map[string]any: fields in order of their names, `<`, `>` and `&` escaped. */
export const goJson = (value: JsonValue): string =>
  JSON.stringify(sorted(value)).replace(/[<>&\u2028\u2029]/g, (character) => htmlEscapes[character] as string)

/** `%v` of a number that JSON gave: whole numbers are int64 there, others float64. */
export function goNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value)
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (exponent >= -4 && exponent < 21) return String(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

/** `%v` of a value that JSON gave: `map[a:1 b:[x y]]`, `<nil>`. */
export function goValue(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'number') return goNumber(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  const names = Object.keys(value).sort(byCodePoint)
  return `map[${names.map((name) => `${name}:${goValue(value[name])}`).join(' ')}]`
}
