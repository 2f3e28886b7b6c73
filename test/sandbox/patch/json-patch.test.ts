import { expect } from 'chai'
import fc from 'fast-check'
import { createPatch } from 'rfc6902'
import { applyJsonPatch } from '../../../src/sandbox/api-server/patch/json-patch.ts'
import { clone, type JsonObject, type JsonValue, sameJson } from '../../../src/sandbox/api-server/schema/json.ts'
import { ApiStatusError } from '../../../src/sandbox/api-server/status.ts'
import { objects } from './arbitrary.ts'

function refusal(patch: JsonValue, target: JsonObject = { a: [1, 2], b: { c: 'd' } }): ApiStatusError {
  try {
    applyJsonPatch(target, patch)
  } catch (error) {
    if (error instanceof ApiStatusError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('sandbox/patch/json-patch', () => {
  const target: JsonObject = { a: [1, 2], b: { c: 'd' } }
  const rows: [string, JsonValue[], JsonObject][] = [
    ['adds a field', [{ op: 'add', path: '/x', value: 1 }], { ...target, x: 1 }],
    ['adds at the end of a list', [{ op: 'add', path: '/a/-', value: 3 }], { ...target, a: [1, 2, 3] }],
    ['inserts into a list', [{ op: 'add', path: '/a/0', value: 0 }], { ...target, a: [0, 1, 2] }],
    ['replaces', [{ op: 'replace', path: '/b/c', value: null }], { ...target, b: { c: null } }],
    ['moves', [{ op: 'move', from: '/b/c', path: '/x' }], { a: [1, 2], b: {}, x: 'd' }],
    ['copies', [{ op: 'copy', from: '/b', path: '/x' }], { ...target, x: { c: 'd' } }],
    ['unescapes names', [{ op: 'add', path: '/b/m~1n~0', value: 1 }], { ...target, b: { c: 'd', 'm/n~': 1 } }],
  ]
  for (const [title, patch, wanted] of rows)
    it(title, () => expect(applyJsonPatch(target, patch)).to.deep.equal(wanted))

  const misfits: [string, JsonValue][] = [
    ['a failed test', { op: 'test', path: '/a/0', value: 2 }],
    ['a missing parent', { op: 'add', path: '/x/y', value: 1 }],
    ['a missing field', { op: 'remove', path: '/x' }],
    ['an index past the end', { op: 'add', path: '/a/3', value: 1 }],
    ['a text for an index', { op: 'remove', path: '/a/abc' }],
    ['no value', { op: 'add', path: '/x' }],
    ['no path', { op: 'remove' }],
    ['an unknown operation', { op: 'burn', path: '/a' }],
    ['something below a text', { op: 'add', path: '/b/c/d', value: 1 }],
    ['removing everything', { op: 'remove', path: '' }],
    ['replacing the object by a text', { op: 'replace', path: '', value: 'x' }],
  ]
  for (const [title, operation] of misfits)
    it(`refuses ${title} with 422 and changes nothing`, () => {
      const before = clone(target)
      expect(refusal([{ op: 'add', path: '/new', value: 1 }, operation], target).status.code).to.equal(422)
      expect(target).to.deep.equal(before)
    })

  it('refuses what is no list of operations with 400', () => {
    expect(refusal({ op: 'add' }).status.code).to.equal(400)
    expect(refusal('x').status.code).to.equal(400)
    expect(refusal([1]).status.code).to.equal(400)
  })

  it('refuses more than 10,000 operations with 413', () => {
    const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/z', value: null }))
    expect(refusal(many).message).to.equal(
      'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
    )
  })

  it('changes no prototype but that of the patched object', () => {
    applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { x: 1 } }])
    expect(({} as { x?: unknown }).x).to.equal(undefined)
  })

  it('makes any object of any other with the patch that rfc6902 finds', () => {
    // rfc6902 itself ignores fields whose names belong to prototypes.
    const plain = objects.filter((object) => !/__proto__|constructor/.test(JSON.stringify(object)))
    fc.assert(
      fc.property(plain, plain, (from, to) => {
        const patch = JSON.parse(JSON.stringify(createPatch(from, to))) as JsonValue
        return sameJson(applyJsonPatch(from, patch), to)
      }),
    )
  })
})
