import { expect } from 'chai'
import fc from 'fast-check'
import { bpfEncoder } from '../../src/agent/bpf-encoder.ts'
import { emptyProfile } from '../../src/profile/bpf/encode.ts'
import { MAX_PORT_RANGES, MAX_PREFIXES } from '../../src/profile/bpf/limits.ts'
import { anyProfile } from '../profile/bpf/arbitrary-profile.ts'

describe('how BPF profiles are written', () => {
  const encoder = bpfEncoder()
  const maps = encoder.rooms.map(({ map }) => map)

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
            expect(held.get(at[i]!) ?? maps.map(() => 0)).to.deep.equal([...one.entries])
        },
      ),
    )
  })

  it('has a namespace take no more than its share by the largest profiles, of which it holds several', () => {
    const most = [MAX_PREFIXES, MAX_PREFIXES, MAX_PORT_RANGES]
    expect(encoder.rooms.map(({ entries }, i) => Math.floor((entries * 3) / 8 / most[i]!))).to.deep.equal([4, 4, 23])
  })
})
