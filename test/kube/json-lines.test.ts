import { expect } from 'chai'
import fc from 'fast-check'
import { LineCutter, LineTooLong } from '../../src/kube/json-lines.ts'

function linesOf(chunks: Uint8Array[], max = 1000): string[] {
  const lines: string[] = []
  const cutter = new LineCutter(max, (line) => lines.push(line))
  for (const chunk of chunks) cutter.push(chunk)
  return lines
}

describe('kube json lines', () => {
  it('finds the same lines wherever the stream is cut, also inside a character', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\n', ''))
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat()), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''))
        const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
        const chunks = places.slice(1).map((end, i) => bytes.subarray(places[i], end))
        expect(linesOf(chunks)).to.deep.equal(lines.filter((each) => each !== ''))
      }),
    )
  })

  it('refuses a line of more than its bound, in one piece or in many, and takes one of the bound', () => {
    const long = Buffer.from(`${'x'.repeat(11)}\n`)
    expect(() => linesOf([long], 10)).to.throw(LineTooLong)
    expect(() =>
      linesOf(
        [...long].map((byte) => Buffer.of(byte)),
        10,
      ),
    ).to.throw(LineTooLong)
    expect(linesOf([long], 11)).to.have.length(1)
  })

  it('holds no line whose end has not come', () => {
    expect(linesOf([Buffer.from('{"a":1}\n{"b"')])).to.deep.equal(['{"a":1}'])
  })
})
