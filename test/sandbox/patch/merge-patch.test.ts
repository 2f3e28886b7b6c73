import { expect } from 'chai'
import fc from 'fast-check'
import { applyMergePatch } from '../../../src/sandbox/api-server/patch/merge-patch.ts'
import { type JsonValue, sameJson } from '../../../src/sandbox/api-server/schema/json.ts'
import { objects } from './arbitrary.ts'

describe('sandbox/patch/merge-patch', () => {
  // The table of RFC 7386, appendix A.
  const rows: [JsonValue, JsonValue, JsonValue][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, wanted] of rows)
    it(`${JSON.stringify(target)} with ${JSON.stringify(patch)}`, () => {
      expect(applyMergePatch(target, patch)).to.deep.equal(wanted)
    })

  it('an empty patch changes nothing, and applying a patch twice is applying it once', () => {
    fc.assert(
      fc.property(objects, objects, (target, patch) => {
        const once = applyMergePatch(target, patch)
        return sameJson(applyMergePatch(target, {}), target) && sameJson(applyMergePatch(once, patch), once)
      }),
    )
  })
})
