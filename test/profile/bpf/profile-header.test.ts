import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { bucketStructs } from '../../../src/audit/decode/bpf-buckets.ts'
import { changes, stateStructs } from '../../../src/enforcer/bpf/layout.ts'
import { mapSizes, structs, TABLE_SIZE_SHIFT, TABLES_OF_PROFILE, tableMaps } from '../../../src/profile/bpf/layout.ts'
import { MAX_PROFILES } from '../../../src/profile/bpf/limits.ts'
import { profileHeader } from '../../../src/profile/bpf/profile-header.ts'

describe('the header of profiles in maps', () => {
  it('in C is the one that the table gives; run `npm run generate` when this fails', () => {
    const file = readFileSync(new URL('../../../native/bpf/varmor_profile.h', import.meta.url), 'utf8')
    expect(file).to.equal(profileHeader([...stateStructs, ...bucketStructs], [changes]))
  })

  it('names each struct once, and those that others hold before them', () => {
    const names = structs.map(({ name }) => name)
    expect(new Set(names).size).to.equal(names.length)
    for (const [i, { fields }] of structs.entries())
      for (const { type } of fields)
        if (typeof type !== 'string') expect(names.indexOf(type.name)).to.be.within(0, i - 1)
  })

  it('has room in a reference for every table', () => {
    expect(MAX_PROFILES * TABLES_OF_PROFILE).to.be.below(2 ** TABLE_SIZE_SHIFT)
    expect(tableMaps.length).to.be.at.most(4)
    expect(tableMaps.every(({ bytes }) => Number.isInteger(Math.log2(bytes)))).to.equal(true)
  })

  it('has no value that is larger than Linux 5.10 takes', () => {
    for (const sizes of Object.values(mapSizes))
      expect('inner' in sizes ? sizes.inner : sizes.value).to.be.at.most(4 * 1024 * 1024)
  })
})
