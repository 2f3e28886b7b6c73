import { expect } from 'chai'
import fc from 'fast-check'
import { canonicalJson } from '../../src/base/canonical-json.ts'

/** The same value with its fields in reverse order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, part]) => [name, turned(part)]),
  )
}

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean())
const tree = fc.letrec<{ value: unknown; object: object }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('object')),
  object: fc.dictionary(fc.string(), tie('value'), { maxKeys: 5 }),
})).object

describe('canonical JSON', () => {
  it('is the same whatever the order of fields, and says all of the value', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(turned(value) as object)).to.equal(text)
        expect(JSON.parse(text)).to.deep.equal(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('leaves out what is null or undefined, and keeps the order of lists', () => {
    expect(canonicalJson({ b: [2, 1], a: null, c: undefined })).to.equal('{"b":[2,1]}')
  })
})
