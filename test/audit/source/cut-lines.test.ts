import { expect } from 'chai'
import fc from 'fast-check'
import { cutLines, cutMarker, dropNuls } from '../../../src/audit/source/cut-lines.ts'

const marker = cutMarker.toString()

const rows: {
  what: string
  chunk: string
  skipping?: boolean
  full?: boolean
  final?: boolean
  passed: string
  left: string
  skips?: boolean
}[] = [
  { what: 'whole lines', chunk: 'a\nbc\n', passed: 'a\nbc\n', left: '' },
  { what: 'a half line at the end', chunk: 'a\nbc', passed: 'a\n', left: 'bc' },
  { what: 'only a half line', chunk: 'abc', passed: '', left: 'abc' },
  { what: 'a half line that no write will end', chunk: 'abc', final: true, passed: 'abc\n', left: '' },
  { what: 'whole lines before such a half line', chunk: 'a\nbc', final: true, passed: 'a\n', left: 'bc' },
  { what: 'nothing', chunk: '', passed: '', left: '' },
  { what: 'nothing at the very end', chunk: '', final: true, passed: '', left: '' },
  { what: 'NULs alone', chunk: '\0\0\0', passed: '', left: '' },
  { what: 'NULs before a half line', chunk: '\0\0ab', passed: '', left: 'ab' },
  { what: 'NULs before a half line that no write will end', chunk: '\0\0ab', final: true, passed: '', left: 'ab' },
  { what: 'a line that does not fit', chunk: 'abcdefgh', full: true, passed: `abcd${marker}`, left: '', skips: true },
  { what: 'the rest of it', chunk: 'jklm', skipping: true, full: true, passed: '', left: '', skips: true },
  { what: 'the end of it', chunk: 'jk\nlm\nn', skipping: true, passed: 'lm\n', left: 'n' },
  {
    what: 'the end of it before a long one',
    chunk: 'jk\nlmnopq',
    skipping: true,
    full: true,
    passed: '',
    left: 'lmnopq',
  },
  { what: 'the end of it and nothing else', chunk: 'jk\n', skipping: true, passed: '', left: '' },
  { what: 'no end of it, ever', chunk: 'jk', skipping: true, final: true, passed: '', left: '', skips: true },
]

function cutText(chunk: Buffer, skipping: boolean, full: boolean, final: boolean) {
  const cut = cutLines(chunk, skipping, full, final)
  return { cut, passed: chunk.subarray(cut.start, cut.end).toString() + cut.ending.toString() }
}

describe('the lines of a chunk', () => {
  for (const { what, chunk, skipping = false, full = false, final = false, passed, left, skips = false } of rows)
    it(`are right for ${what}${final ? ' at the end' : ''}`, () => {
      const bytes = Buffer.from(chunk)
      const { cut, passed: got } = cutText(bytes, skipping, full, final)
      expect(got).to.equal(passed)
      expect(bytes.subarray(cut.consumed).toString()).to.equal(left)
      expect(cut.skipping).to.equal(skips)
    })

  it('account for every byte: passed on, thrown away and counted, or left', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\0'), maxLength: 30 })
    fc.assert(
      fc.property(texts, fc.boolean(), fc.boolean(), fc.boolean(), (text, skipping, full, final) => {
        const chunk = Buffer.from(text)
        const { cut } = cutText(chunk, skipping, full, final)
        const ended = skipping && !cut.skipping && cut.consumed > 0 && text.includes('\n') ? 1 : 0
        expect(cut.consumed).to.equal(cut.end - cut.start + cut.skipped + cut.nuls + ended)
        if (cut.ending.length === 0 && cut.end > cut.start) expect(chunk[cut.end - 1]).to.equal(0x0a)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('NULs', () => {
  it('are left out, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '\n', '\0', '\0') }), (text) => {
        const bytes = Buffer.from(text)
        expect(bytes.subarray(0, dropNuls(bytes)).toString()).to.equal(text.replaceAll('\0', ''))
      }),
    )
  })
})
