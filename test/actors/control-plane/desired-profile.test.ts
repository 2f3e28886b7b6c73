import { expect } from 'chai'
import { isInForce } from '../../../actors/policy/desired.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { documentBytes } from '../../../actors/policy/document-size.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'
import type { ArmorProfile, Policy } from '../../../src/api/types.ts'
import { asWall } from '../../../src/base/clock.ts'
import { policySpec } from './world.ts'

const policyOf = (policy: Policy, labels?: Record<string, string>): AnyPolicy => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web', namespace: 'demo', uid: 'u', ...(labels !== undefined && { labels }) },
  spec: { ...policySpec(), policy },
})

function documentOf(policy: AnyPolicy, state: 'none' | 'complete' = 'none') {
  const desired = desiredProfile(policy, { installNamespace: 'varmor', modeling: { state, began: asWall(0) } })
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

  const custom = (body: string): Policy => ({
    enforcer: 'AppArmor',
    mode: 'DefenseInDepth',
    defenseInDepth: {
      appArmor: { profileType: 'Custom', customProfile: `profile x {\n${body}\n}\n` },
    },
  })
  const desiredOf = (policy: Policy) =>
    desiredProfile(policyOf(policy), { installNamespace: 'varmor', modeling: { state: 'none' } })
  const comment = (text: string, bytes: number): string => `${`# ${text}\n`.repeat(bytes / (text.length + 3))}`

  it('fits the storage of the API server, and is refused with its largest parts named where it does not', () => {
    const plain = desiredOf(custom(comment('a'.repeat(97), 500_000)))
    expect(plain.ok).to.equal(true)
    // The server writes each < as six bytes.
    const desired = desiredOf(custom(comment('<'.repeat(97), 500_000)))
    expect(desired.ok ? [] : desired.errors.map(({ code, path }) => ({ code, path }))).to.deep.equal([
      { code: 'TOO_LARGE', path: 'spec.policy' },
    ])
    const [problem = ''] = desired.ok ? [] : desired.errors.map((error) => error.problem)
    expect(problem).to.match(
      /has [56],\d{3},\d{3} bytes; the limit is 1,310,720. Largest parts: spec\.(source|profile\.appArmor) with [23],\d{3},\d{3}, spec\.(source|profile\.appArmor) with [23],\d{3},\d{3}, /,
    )
    expect(problem).to.contain('split the policy')
  })

  it('is as large as the server would write it, to the byte', () => {
    const document = documentOf(policyOf(custom(comment('a<b>c&d\u2028é"\\', 1_000))))
    const written = JSON.stringify(document).replace(/[<>&\u2028\u2029]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
    })
    expect(documentBytes(document)).to.equal(Buffer.byteLength(written))
  })

  it('is in force when the stored one is the same, with labels of others besides', () => {
    const document = documentOf(policyOf(enhance('AppArmor', {}), { team: 'a' }))
    const made = { 'varmor.org/made-by': 'varmor-manager' }
    const stored = {
      apiVersion: 'crd.varmor.org/v1beta1',
      kind: 'ArmorProfile',
      ...structuredClone(document),
    } as ArmorProfile
    stored.metadata.labels = { ...made, team: 'a', other: 'b' }
    expect(isInForce(document, stored)).to.equal(true)
    stored.metadata.labels = { ...made, team: 'b' }
    expect(isInForce(document, stored)).to.equal(false)
    // An ArmorProfile from before the label existed. It gets the label without a change of its generation.
    stored.metadata.labels = { team: 'a' }
    expect(isInForce(document, stored)).to.equal(false)
    stored.metadata.labels = { ...made, team: 'a' }
    stored.spec.profile.seccomp = '{}'
    expect(isInForce(document, stored)).to.equal(false)
  })

  it('records nothing any more when behaviour modelling is complete', () => {
    const policy = policyOf({ enforcer: 'AppArmor', mode: 'BehaviorModeling', modelingOptions: { duration: 5 } })
    const { spec } = documentOf(policy, 'complete')
    expect(spec.behaviorModeling).to.deep.equal({ enable: false, duration: 5, since: '1970-01-01T00:00:00Z' })
    expect(spec.profile.mode).to.equal('enforce')
  })
})
