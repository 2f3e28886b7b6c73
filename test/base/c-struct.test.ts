import { expect } from 'chai'
import fc from 'fast-check'
import { bytesIn, numberIn, pack, struct } from '../../src/base/c-struct.ts'

const pair = struct('pair', 'Two numbers.', [
  { name: 'a', type: 'u16' },
  { name: 'b', type: 'u16' },
])

const all = struct('all', 'One of each.', [
  { name: 'wide', type: 'u64' },
  { name: 'word', type: 'u32' },
  { name: 'reserved', type: 'u32' },
  { name: 'pairs', type: pair, count: 2 },
  { name: 'half', type: 'u16' },
  { name: 'byte', type: 'u8' },
  { name: 'text', type: 'char', count: 5 },
])

const none = { wide: [0, 0], word: 0, pairs: new Uint8Array(), half: 0, byte: 0, text: new Uint8Array() } as const

describe('a struct that C has too', () => {
  it('has its fields one behind the other', () => {
    expect(all.at).to.deep.equal({ wide: 0, word: 8, reserved: 12, pairs: 16, half: 24, byte: 26, text: 27 })
    expect(all).to.include({ size: 32, alignment: 8 })
  })

  for (const [what, fields, field] of [
    ['between fields', [{ name: 'a', type: 'u8' } as const, { name: 'b', type: 'u32' } as const], 'b'],
    ['before a struct', [{ name: 'a', type: 'u8' } as const, { name: 'b', type: pair } as const], 'b'],
    ['at the end', [{ name: 'a', type: 'u32' } as const, { name: 'b', type: 'u8' } as const], 'end'],
  ] as const)
    it(`is refused where a compiler would leave a gap ${what}`, () => {
      expect(() => struct('odd', 'Odd.', fields))
        .to.throw(`struct odd`)
        .with.property('message')
        .that.includes(field)
    })

  it('holds the numbers and bytes that are put into it', () => {
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
    const halves = fc.integer({ min: 0, max: 0xffff })
    const values = fc.record({ low: u32, high: u32, word: u32, half: halves, byte: fc.nat(255), text: bytes(5) })
    fc.assert(
      fc.property(values, fc.array(fc.tuple(halves, halves), { maxLength: 2 }), (given, pairs) => {
        const { low, high, word, half, byte, text } = given
        const packed = pairs.map(([a, b]) => pack(pair, { a, b }))
        const made = pack(all, { wide: [low, high], word, half, byte, text, pairs: Buffer.concat(packed) })
        const number = (name: 'word' | 'half' | 'byte' | 'reserved') => numberIn(all, made, name)
        expect([number('word'), number('half'), number('byte'), number('reserved')]).to.deep.equal([
          word,
          half,
          byte,
          0,
        ])
        expect(Buffer.from(bytesIn(all, made, 'wide')).readBigUInt64LE()).to.equal(
          BigInt(high) * 2n ** 32n + BigInt(low),
        )
        expect([...bytesIn(all, made, 'text')]).to.deep.equal([...text, ...new Array(5 - text.length).fill(0)])
        for (const [i, [a, b]] of pairs.entries()) {
          const own = bytesIn(all, made, 'pairs').subarray(pair.size * i)
          expect([numberIn(pair, own, 'a'), numberIn(pair, own, 'b')]).to.deep.equal([a, b])
        }
      }),
    )
  })

  for (const [what, values, field] of [
    ['a number that is too large', { ...none, byte: 256 }, 'byte'],
    ['a negative number', { ...none, word: -1 }, 'word'],
    ['half a number', { ...none, half: 0.5 }, 'half'],
    ['a number where 64 bits are two', { ...none, wide: 1 }, 'wide'],
    ['two numbers for one of 32 bits', { ...none, word: [1, 0] as const }, 'word'],
    ['too many bytes', { ...none, text: new Uint8Array(6) }, 'text'],
    ['a part of a struct', { ...none, pairs: new Uint8Array(5) }, 'pairs'],
    ['a number for an array', { ...none, text: 1 }, 'text'],
  ] as const)
    it(`does not take ${what}`, () => {
      expect(() => pack(all, values)).to.throw(RangeError, `struct all: ${field} cannot hold`)
    })

  it('is not read beyond the end of what is there', () => {
    expect(() => numberIn(all, new Uint8Array(all.size - 6), 'half')).to.not.throw()
    expect(() => bytesIn(all, new Uint8Array(all.size - 1), 'text')).to.throw(RangeError, '31 bytes end before text')
    expect(() => numberIn(all, new Uint8Array(all.size), 'wide')).to.throw(TypeError)
  })
})
