import fc from 'fast-check'
import { type PathPattern, parsePathPattern } from '../../src/profile/path-pattern.ts'

/** Parses the pattern. @throws if the text is not a pattern, which is a mistake in the test */
export function patternOf(text: string): PathPattern {
  const parsed = parsePathPattern(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`)
  return parsed.pattern
}

const pieces = ['a', 'b', 'ab', 'ba', 'é', ' ', '\n', '?', '[', '*', '**', '/', '/**/', '/**', '/*/']

/** Patterns of few letters, so that many patterns overlap, or share their first or last parts. */
export const arbitraryPattern: fc.Arbitrary<PathPattern> = fc
  .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 9 })
  .map((chosen) => chosen.join(''))
  .map((text) => (text.startsWith('/') || text.startsWith('**') || !/\/|\*\*/.test(text) ? text : `/${text}`))
  .map((text) => parsePathPattern(text))
  .filter((parsed) => parsed.ok)
  .map((parsed) => parsed.pattern)

const bytes = fc.oneof(
  fc.constantFrom('/', '/', 'a', 'b', 'ab', 'é', ' ', '\n', '?').map((text) => Buffer.from(text)),
  fc.constantFrom(0x80, 0xa9, 0xc3, 0xff, 1).map((byte) => Buffer.from([byte])),
)

/** Paths with the letters of the patterns and with bytes that may not be valid UTF-8. */
export const arbitraryPath: fc.Arbitrary<Buffer> = fc
  .array(bytes, { maxLength: 14 })
  .map((chunks) => Buffer.concat([Buffer.from('/'), ...chunks]))

/** A path that matches the pattern, or that differs from such a path in one byte. */
export function pathsNear({ tokens }: PathPattern): fc.Arbitrary<Buffer> {
  const text = fc.tuple(
    ...tokens.map((token): fc.Arbitrary<string> => {
      if (token.kind === 'bytes') return fc.constant(token.bytes)
      if (token.kind === 'star') return fc.constantFrom('', 'a', 'ba')
      return token.kind === 'globstar' ? fc.constantFrom('', 'a/b', '/', 'ab') : fc.constantFrom('/', '/a/', '/b/ab/')
    }),
  )
  const changed = fc.tuple(text, fc.nat(), fc.constantFrom('', '', '/', 'a', 'x'))
  return changed.map(([parts, at, extra]) => {
    const whole = parts.join('')
    const cut = at % (whole.length + 1)
    return Buffer.from(extra === '' ? whole : whole.slice(0, cut) + extra + whole.slice(cut + (at % 2)))
  })
}
