import { expect } from 'chai'
import fc from 'fast-check'
import { bpfEncoder } from '../../../src/agent/bpf/bpf-encoder.ts'
import { sharesOf } from '../../../src/enforcer/bpf/shares.ts'
import { emptyProfile } from '../../../src/profile/bpf/encode.ts'
import { MAX_PORT_RANGES, MAX_PREFIXES } from '../../../src/profile/bpf/limits.ts'
import { compilePolicy } from '../../../src/profile/compile.ts'
import { anyProfile } from '../../profile/bpf/arbitrary-profile.ts'

describe('how BPF profiles are written', () => {
  const encoder = bpfEncoder()

  it('says how many entries of the maps that all share a profile takes, and finds as many there', () => {
    const withEgress = anyProfile.map(({ egress }) => ({ ...emptyProfile, ...(egress !== undefined && { egress }) }))
    const slots = fc.uniqueArray(fc.integer({ min: 1, max: encoder.slots - 1 }), { minLength: 2, maxLength: 2 })
    fc.assert(
      fc.property(
        fc.tuple(withEgress, withEgress),
        slots,
        fc.constantFrom(0 as const, 1 as const),
        (profiles, at, half) => {
          const read = profiles.map((profile) => encoder.read(JSON.stringify(profile)))
          const placeTable = () => ({ index: 1, isNew: false })
          const writes = read.flatMap((one, i) => one.writes({ slot: at[i]!, id: 1, half, placeTable }))
          const entries = (map: string): Uint8Array =>
            Buffer.concat(writes.filter((one) => one.map === map).flatMap(({ key, value }) => [key, value!]))
          const held = encoder.held(entries)
          for (const [i, one] of read.entries())
            expect(held.get(at[i]!) ?? one.entries.map(() => 0)).to.deep.equal([...one.entries])
        },
      ),
    )
  })

  it('has a namespace take no more than its share by the largest profiles, of which it holds several', () => {
    const max = [MAX_PREFIXES, MAX_PREFIXES, MAX_PORT_RANGES]
    const fitting = encoder.rooms.map(({ all, ofProfile }) => Math.floor(sharesOf(all).one / ofProfile(max)))
    expect(fitting).to.deep.equal([4, 4, 23, 2])
  })

  describe('in the memory that all have', () => {
    const { all, ofProfile, ofTable } = encoder.rooms.at(-1)!
    const { one, namespaces } = sharesOf(all)
    const { slots } = encoder
    const [small, medium, large, huge] = encoder.tableMaps.map((_, map) => ofTable!(map))

    it('counts tables as the kernel allocates them', () =>
      expect([small, medium, large, huge]).to.deep.equal([32, 68, 516, 4100]))

    it('has room for as many profiles as there are places, each with rules about mounting and a small table of its own', () => {
      const profile = ofProfile([0, 0, 0]) + small!
      expect(profile).to.equal(16 + 36 + 32)
      expect((slots - 2) * profile).to.be.at.most(all)
      expect(sharesOf(slots - 2).one * profile).to.be.at.most(one)
      expect(sharesOf(slots - 2).namespaces * profile).to.be.at.most(namespaces)
    })

    it('has a namespace hold 86 of a small policy that becomes a large table', () => {
      const rules = Array.from({ length: 11 }, (_, i) => `/*${'abcdefghijk'[i]}*${'nopqrstuvwx'[i]}`)
      const files = rules.map((pattern) => ({ pattern, permissions: ['write'] }))
      const policy = { enforcer: 'BPF', mode: 'EnhanceProtect', enhanceProtect: { bpfRawRules: { files } } }
      const spec = { target: { kind: 'Pod', name: 'any' }, policy }
      const metadata = { name: 'costly', namespace: 'evil' }
      const compiled = compilePolicy({ apiVersion: 'crd.varmor.org/v1beta1', kind: 'VarmorPolicy', metadata, spec })
      if (!compiled.ok) expect.fail(JSON.stringify(compiled.errors))
      const read = encoder.read(JSON.stringify(compiled.value.enforcers.BPF!.profile))
      const tables: string[] = []
      const placeTable = (map: string) => ({ index: tables.push(map), isNew: true })
      read.writes({ slot: 1, id: 1, half: 0, placeTable })
      expect(tables).to.deep.equal(['varmor_large_tables'])
      expect(Math.floor(one / (ofProfile(read.entries) + large!))).to.equal(86)
    })
  })
})
