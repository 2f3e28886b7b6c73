import type { Environment } from '@marcbachmann/cel-js'
import { goQuote } from '../../go-text.ts'
import { goRegExp } from '../go-regexp.ts'

/** Finds of a pattern, of which there may be `limit` (all when negative). */
function findAll(text: string, pattern: string, limit: number): string[] {
  const expression = goRegExp(pattern)
  if (expression === undefined) throw new Error(`error parsing regexp: ${pattern}`)
  const found = Array.from(text.matchAll(new RegExp(expression, `${expression.flags}g`)), ([match]) => match)
  return limit < 0 ? found : found.slice(0, limit)
}

function matches(text: string, pattern: string): boolean {
  const expression = goRegExp(pattern)
  if (expression === undefined) throw new Error(`error parsing regexp: ${pattern}`)
  return expression.test(text)
}

function replaced(text: string, from: string, to: string, limit: number): string {
  const parts = text.split(from)
  if (limit < 0 || parts.length - 1 <= limit) return parts.join(to)
  return parts.slice(0, limit + 1).join(to) + from + parts.slice(limit + 1).join(from)
}

function charAt(text: string, index: bigint): string {
  const characters = Array.from(text)
  if (index < 0n || index > BigInt(characters.length)) throw new Error(`index out of range: ${index}`)
  return characters[Number(index)] ?? ''
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z')
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, field]) => `${name}: ${shown(field)}`)
      .join(', ')}}`
  return String(value)
}

function formatted(verb: string, precision: string | undefined, value: unknown): string {
  switch (verb) {
    case 's':
      return shown(value)
    case 'd':
      return String(value)
    case 'f':
      return Number(value).toFixed(precision === undefined ? 6 : Number(precision))
    case 'e':
      return Number(value).toExponential(precision === undefined ? 6 : Number(precision))
    case 'b':
      return (value as bigint).toString(2)
    case 'o':
      return (value as bigint).toString(8)
    default:
      return typeof value === 'string' ? Buffer.from(value).toString('hex') : (value as bigint).toString(16)
  }
}

function format(text: string, values: unknown[]): string {
  let next = 0
  return text.replace(/%(?:%|(?:\.(\d+))?([sdfebox])|X)/g, (whole, precision, verb) => {
    if (whole === '%%') return '%'
    if (next >= values.length) throw new Error(`index ${next} out of range`)
    const value = values[next++]
    return whole === '%X' ? formatted('x', undefined, value).toUpperCase() : formatted(verb, precision, value)
  })
}

/** Strings as in Kubernetes' CEL: its regular expressions (find, findAll) and the string functions of cel-go. */
export function registerTextFunctions(environment: Environment): Environment {
  return environment
    .registerFunction(
      'string.find(string): string',
      (text: string, pattern: string) => findAll(text, pattern, 1)[0] ?? '',
    )
    .registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) =>
      findAll(text, pattern, -1),
    )
    .registerFunction('string.findAll(string, int): list<string>', (text: string, pattern: string, limit: bigint) =>
      findAll(text, pattern, Number(limit)),
    )
    .registerFunction('matches(string, string): bool', matches)
    .registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
      replaced(text, from, to, -1),
    )
    .registerFunction(
      'string.replace(string, string, int): string',
      (text: string, from: string, to: string, limit: bigint) => replaced(text, from, to, Number(limit)),
    )
    .registerFunction('string.charAt(int): string', charAt)
    .registerFunction('string.reverse(): string', (text: string) => Array.from(text).reverse().join(''))
    .registerFunction('string.format(list<dyn>): string', format)
    .registerFunction('quote(string): string', goQuote)
}
