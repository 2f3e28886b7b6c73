import fc from 'fast-check'

/** Values that a reader may receive in place of expected values. */
const odd = fc.constantFrom<unknown>(
  ...[null, true, '', 'x', 0, -1, 1.5, -1e300, 1e300, 1e21, 2 ** 53, Number.MIN_VALUE, [], {}, [[]], [null]],
  ...['\u0000', '../../etc/passwd', '__proto__', 'constructor', '\ud800', 'x'.repeat(5_000)],
)

const oddKey = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'length', '', 'x')

/** A value with one change inside: another value, a removed value, or a key that objects inherit. */
function changed(value: unknown, path: readonly number[], replacement: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || path.length === 0) return replacement
  const [first = 0, ...rest] = path
  const entries = Object.entries(value)
  const at = entries.length === 0 ? 0 : first % (entries.length + 2)
  if (at === entries.length) return Array.isArray(value) ? [...value, replacement] : withKey(value, key, replacement)
  if (at > entries.length) return Array.isArray(value) ? value.slice(1) : Object.fromEntries(entries.slice(1))
  const [name, inner] = entries[at]!
  const next = changed(inner, rest, replacement, key)
  if (Array.isArray(value)) return value.map((one, i) => (i === at ? next : one))
  return withKey(value, name, next)
}

/** Sets a field as JSON.parse does: `__proto__` becomes a field of the object itself. */
function withKey(value: object, key: string, to: unknown): object {
  const copy = { ...value }
  Object.defineProperty(copy, key, { value: to, enumerable: true, configurable: true, writable: true })
  return copy
}

/** The value with some changes inside. */
export const hostileValues = (valid: unknown): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.jsonValue() },
    { weight: 1, arbitrary: odd },
    {
      weight: 6,
      arbitrary: fc
        .array(fc.tuple(fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }), fc.oneof(odd, fc.jsonValue()), oddKey), {
          minLength: 1,
          maxLength: 3,
        })
        .map((changes) => changes.reduce((value, [path, to, key]) => changed(value, path, to, key), valid)),
    },
  )

/** Truncated, mixed or forged texts of a file, and the complete text. */
export function hostileTexts(valid: unknown): fc.Arbitrary<string> {
  const text = JSON.stringify(valid)
  return fc.oneof(
    { weight: 6, arbitrary: hostileValues(valid).map((value) => JSON.stringify(value) ?? '') },
    { weight: 1, arbitrary: fc.nat(text.length).map((length) => text.slice(0, length)) },
    { weight: 1, arbitrary: fc.string() },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(text.length), fc.string({ maxLength: 5 }))
        .map(([at, more]) => text.slice(0, at) + more + text.slice(at + more.length)),
    },
    { weight: 1, arbitrary: fc.constantFrom('['.repeat(200_000), `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`) },
    { weight: 1, arbitrary: fc.constantFrom('1e999', '-1e300', '{"at":-1e300}', '{"__proto__":{"at":1}}', '\ufeff{}') },
  )
}
