import { expect } from 'chai'
import fc from 'fast-check'
import { Packer, unpack } from '../../../../actors/runtime/placement/packing.ts'

/** A message after its transfer between threads: encoded with its shape if it has one, otherwise copied. */
function arrived(packer: Packer, message: unknown): unknown {
  const shape = packer.shapeOf(message)
  if (shape === undefined) return message
  const values = shape.fields.map((field) => (message as Record<string, unknown>)[field])
  return unpack(structuredClone(shape), ['before', ...values], 1)
}

const packed: [what: string, message: object][] = [
  ['no field but its type', { type: 'a' }],
  ['primitive values', { type: 'a', text: 'x', number: -0, nothing: null, missing: undefined, big: 1n, yes: true }],
]

const unpacked: [what: string, message: unknown][] = [
  ['an object in it', { type: 'a', inner: {} }],
  ['a list in it', { type: 'a', list: [1] }],
  ['a function in it', { type: 'a', call: () => undefined }],
  ['no type', { a: 1 }],
  ['a type that is no text', { type: 1 }],
  ['its type in another place', { a: 1, type: 'a' }],
  ['a class', Object.assign(new (class Special {})(), { type: 'a' })],
  ['a field that would set its prototype', JSON.parse('{"type":"a","__proto__":1}')],
  ['no fields at all', 'text'],
]

describe('Packer', () => {
  for (const [what, message] of packed)
    it(`packs a message with ${what}`, () => {
      expect(new Packer().shapeOf(message)).to.have.property('type', 'a')
      expect(arrived(new Packer(), message)).to.deep.equal(message)
    })

  for (const [what, message] of unpacked)
    it(`leaves alone a message with ${what}`, () => {
      expect(new Packer().shapeOf(message)).to.equal(undefined)
    })

  it('knows messages of one type apart by their fields', () => {
    const packer = new Packer()
    const shapes = [
      { type: 'a', x: 1 },
      { type: 'a', y: 1 },
      { type: 'a', x: 1, y: 1 },
      { type: 'a', x: 2 },
    ].map((message) => packer.shapeOf(message)?.number)
    expect(shapes).to.deep.equal([0, 1, 2, 0])
  })

  it('learns no more shapes than it may, however many there are', () => {
    const packer = new Packer()
    const shapes = Array.from({ length: 100 }, (_, i) => packer.shapeOf({ type: 'a', [`field-${i}`]: i }))
    expect(shapes.filter((shape) => shape !== undefined)).to.have.length(8)
    const types = Array.from({ length: 2_000 }, (_, i) => packer.shapeOf({ type: `type-${i}` }))
    expect(types.filter((shape) => shape !== undefined)).to.have.length(1_024 - 8)
  })

  it('changes no message, whatever it is', () => {
    const key = fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'constructor', '0', 'type'), fc.string())
    const message = fc
      .tuple(
        fc.constantFrom('x', 'y', '__proto__'),
        fc.dictionary(key, fc.anything({ withBigInt: true }), { maxKeys: 4 }),
      )
      .map(([type, rest]) => ({ type, ...rest }))
    fc.assert(
      fc.property(fc.array(message, { maxLength: 50 }), (messages) => {
        const packer = new Packer()
        for (const one of messages) {
          const there = arrived(packer, one)
          expect(there).to.deep.equal(one)
          expect(Object.keys(there as object)).to.deep.equal(Object.keys(one))
        }
      }),
    )
  })
})
