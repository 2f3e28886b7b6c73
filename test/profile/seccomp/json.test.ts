import { expect } from 'chai'
import fc from 'fast-check'
import { parseJson } from '../../../src/profile/seccomp/json.ts'

function builtIn(text: string): { ok: boolean; value?: unknown } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

describe('the JSON reader', () => {
  it('reads what JSON.parse reads, as it does', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJson(text)).to.deep.equal({ ok: true, value: JSON.parse(text) })
      }),
    )
  })

  it('refuses what JSON.parse refuses', () => {
    const damaged = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', '"', '{', ']', ',', '\\', '\n', 'e', '-', '0', '\u0000', "'", '//'),
      )
      .map(
        ([text, at, piece]) => text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + 1),
      )
    fc.assert(
      fc.property(damaged, (text) => {
        const ours = parseJson(text)
        if (!ours.ok && ours.problem.endsWith('occurs twice')) return
        expect(ours.ok, text).to.equal(builtIn(text).ok)
      }),
      { numRuns: 5000 },
    )
  })

  // biome-ignore format: a table reads better
  const broken: [string, number, number, RegExp][] = [
    ['', 1, 1, /ends before a value/],
    ['{\n  "a": 1,\n}', 3, 1, /key in double quotes/],
    ['{"a" 1}', 1, 6, /colon/],
    ['[1 2]', 1, 4, /comma or a closing bracket/],
    ['{"a": 1, "a": 2}', 1, 10, /"a" occurs twice/],
    ['{"a": "b', 1, 7, /closing quote is missing/],
    ['"a\\x"', 1, 1, /bad escape/],
    ['{} {}', 1, 4, /text follows the value/],
    ['\ufeff{}', 1, 1, /a value is missing here/],
    ['['.repeat(100000), 1, 66, /nested more than 64/],
  ]
  for (const [text, line, column, problem] of broken) {
    it(`says where ${JSON.stringify(text.slice(0, 20))} is wrong`, () => {
      const read = parseJson(text)
      expect(read).to.include({ ok: false, line, column })
      expect(!read.ok && read.problem).to.match(problem)
    })
  }
})
