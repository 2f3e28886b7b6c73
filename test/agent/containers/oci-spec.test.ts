import { expect } from 'chai'
import fc from 'fast-check'
import { parseObject, readSpec } from '../../../src/agent/containers/oci-spec.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'

describe('what a runtime says of the spec of a container', () => {
  const rows: [what: string, spec: unknown, read: object][] = [
    ['nothing', null, { annotations: {} }],
    ['a list', [], { annotations: {} }],
    ['annotations that are null', { annotations: null, process: null, linux: null }, { annotations: {} }],
    ['one annotation that is no text', { annotations: { a: '1', b: 2, c: null } }, { annotations: { a: '1' } }],
    ['a process without a profile', { process: {} }, { annotations: {}, process: {} }],
    ['a profile that is no text', { process: { apparmorProfile: 5 } }, { annotations: {} }],
    ['a filter', { linux: { seccomp: { a: 1 } } }, { annotations: {}, linux: { seccomp: { a: 1 } } }],
  ]
  for (const [what, spec, read] of rows)
    it(`is read as far as it fits where it is ${what}`, () => expect(readSpec(spec)).to.deep.equal(read))

  it('is read whatever it is', () => {
    const valid = { annotations: { a: '1' }, process: { apparmorProfile: 'p' }, linux: { seccomp: {} } }
    fc.assert(
      fc.property(hostileTexts(valid), (text) => {
        const { annotations, process } = readSpec(parseObject(text))
        for (const one of Object.values(annotations)) expect(one).to.be.a('string')
        expect(typeof (process?.apparmorProfile ?? '')).to.equal('string')
        expect(Object.getPrototypeOf(annotations)).to.equal(Object.prototype)
      }),
    )
  })
})
