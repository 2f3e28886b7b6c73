import { expect } from 'chai'
import { isInForce } from '../../../actors/policy/desired.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'
import type { ArmorProfile, Policy } from '../../../src/api/types.ts'
import { policySpec } from './world.ts'

const policyOf = (policy: Policy, labels?: Record<string, string>): AnyPolicy => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web', namespace: 'demo', uid: 'u', ...(labels !== undefined && { labels }) },
  spec: { ...policySpec(), policy },
})

function documentOf(policy: AnyPolicy, state: 'none' | 'complete' = 'none') {
  const desired = desiredProfile(policy, { installNamespace: 'varmor', modeling: { state } })
  if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
  return desired.document
}

const enhance = (enforcer: string, enhanceProtect: Policy['enhanceProtect']): Policy => ({
  enforcer,
  mode: 'EnhanceProtect',
  enhanceProtect: { ...enhanceProtect },
})

describe('the ArmorProfile that a policy is to have', () => {
  it('has a part for each enforcer that the policy names', () => {
    const { profile } = documentOf(policyOf(enhance('apparmorBPFseccomp', { hardeningRules: ['disallow-mount'] }))).spec
    expect(profile).to.include({ name: 'varmor-demo-web', enforcer: 'apparmorBPFseccomp', mode: 'enforce' })
    expect(profile.appArmor).to.contain('profile varmor-demo-web')
    expect(JSON.parse(profile.seccomp!)).to.have.property('defaultAction')
    expect(profile.bpf?.mounts).to.have.length.above(0)
  })

  const rules: {
    title: string
    bpf: NonNullable<NonNullable<Policy['enhanceProtect']>['bpfRawRules']>
    content: object
  }[] = [
    {
      title: 'a file that may not be written',
      bpf: { files: [{ pattern: '/etc/x', permissions: ['write'], qualifiers: ['deny'] }] },
      content: { files: [{ mode: 1, permissions: 10, pattern: { flags: 0, glob: '/etc/x' } }] },
    },
    {
      title: 'a program whose use is reported',
      bpf: { processes: [{ pattern: '/bin/sh', permissions: ['exec'], qualifiers: ['audit'] }] },
      content: { processes: [{ mode: 2, permissions: 1, pattern: { flags: 0, glob: '/bin/sh' } }] },
    },
  ]
  for (const { title, bpf, content } of rules)
    it(`says of BPF: ${title}`, () => {
      const { profile } = documentOf(policyOf(enhance('BPF', { privileged: true, bpfRawRules: bpf }))).spec
      expect(profile.bpf).to.deep.equal(content)
    })

  it('is in force when the stored one is the same, with labels of others besides', () => {
    const document = documentOf(policyOf(enhance('AppArmor', {}), { team: 'a' }))
    const stored = {
      apiVersion: 'crd.varmor.org/v1beta1',
      kind: 'ArmorProfile',
      ...structuredClone(document),
    } as ArmorProfile
    stored.metadata.labels = { team: 'a', other: 'b' }
    expect(isInForce(document, stored)).to.equal(true)
    stored.metadata.labels = { team: 'b' }
    expect(isInForce(document, stored)).to.equal(false)
    stored.metadata.labels = { team: 'a' }
    stored.spec.profile.seccomp = '{}'
    expect(isInForce(document, stored)).to.equal(false)
  })

  it('records nothing any more when behaviour modelling is complete', () => {
    const policy = policyOf({ enforcer: 'AppArmor', mode: 'BehaviorModeling', modelingOptions: { duration: 5 } })
    const { spec } = documentOf(policy, 'complete')
    expect(spec.behaviorModeling).to.deep.equal({ enable: false, duration: 5 })
    expect(spec.profile.mode).to.equal('enforce')
  })
})
