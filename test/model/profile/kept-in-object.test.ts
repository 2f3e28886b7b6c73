import { expect } from 'chai'
import type { ArmorProfileModel, DynamicResult, Profile } from '../../../src/api/types.ts'
import { isPart, keptInObject, sizeOf } from '../../../src/model/profile/kept-in-object.ts'

const text = (length: number): string => 'x'.repeat(length)
const ofBpf = (length: number): DynamicResult['bpf'] => ({ executions: [`/${text(length)}`] })
const ofAppArmor = (length: number): DynamicResult['appArmor'] => ({ executions: [`/${text(length)}`] })
const profileOf = (length: number): Profile => ({
  name: 'varmor-demo-web',
  enforcer: 'AppArmorBPF',
  mode: 'enforce',
  appArmor: text(length),
})
const largest = 10_000

describe('what the object of a model keeps', () => {
  const rows: { title: string; appArmor: number; bpf: number; profile: number; has: string[]; problem: RegExp }[] = [
    {
      title: 'all that has room',
      appArmor: 100,
      bpf: 100,
      profile: 100,
      has: ['profile', 'appArmor', 'bpf'],
      problem: /^$/,
    },
    {
      title: 'profiles and what is BPF’s',
      appArmor: 9_000,
      bpf: 100,
      profile: 5_000,
      has: ['profile', 'bpf'],
      problem: /^$/,
    },
    {
      title: 'profiles alone, and says so',
      appArmor: 100,
      bpf: 6_000,
      profile: 5_000,
      has: ['profile'],
      problem: /^the record of BPF.* takes 60\d\d bytes/,
    },
    {
      title: 'nothing, and says so',
      appArmor: 100,
      bpf: 100,
      profile: 11_000,
      has: [],
      problem: /^the profile takes 11\d\d\d bytes/,
    },
  ]
  for (const { title, appArmor, bpf, profile, has, problem } of rows)
    it(`is ${title}`, () => {
      const dynamicResult = { appArmor: ofAppArmor(appArmor), bpf: ofBpf(bpf) } as DynamicResult
      const kept = keptInObject({ dynamicResult, profile: profileOf(profile) }, largest)
      const { data, storageType } = kept
      expect(sizeOf(data)).to.be.at.most(largest)
      expect([...(data.profile ? ['profile'] : []), ...Object.keys(data.dynamicResult ?? {})]).to.deep.equal(has)
      expect(kept.problem).to.match(problem)
      const model = { storageType, data } as ArmorProfileModel
      expect(isPart(model)).to.equal(has.length < 3)
      // The manager's port returns the whole model.
      expect(isPart({ ...model, data: { ...data, dynamicResult } })).to.equal(false)
    })
})
