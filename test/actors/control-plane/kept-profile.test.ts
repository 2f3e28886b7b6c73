import { expect } from 'chai'
import { isInForce } from '../../../actors/policy/desired.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { MAX_ADDRESSES, ProfileSlimmer } from '../../../actors/policy/kept-profile.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { policySpec } from './world.ts'

const raw = Array.from({ length: 1_000 }, (_, i) => `deny /etc/${'x'.repeat(100)}${i} w,`).join('\n')

const policy: AnyPolicy = {
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web', namespace: 'demo', uid: 'u' },
  spec: {
    ...policySpec(),
    policy: {
      enforcer: 'AppArmorBPFSeccomp',
      mode: 'EnhanceProtect',
      enhanceProtect: {
        hardeningRules: ['disallow-mount'],
        appArmorRawRules: [{ rules: raw }],
      },
    },
  },
}

function made(): { document: Parameters<typeof isInForce>[0]; stored: ArmorProfile } {
  const desired = desiredProfile(policy, { installNamespace: 'varmor', modeling: { state: 'none' } })
  if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
  // The server returns the fields in another order.
  const { metadata, spec } = structuredClone(desired.document)
  const reversed = Object.fromEntries(Object.entries(spec).reverse()) as ArmorProfile['spec']
  const stored = { apiVersion: policy.apiVersion, kind: 'ArmorProfile', spec: reversed, metadata } as ArmorProfile
  return { document: desired.document, stored }
}

describe('what a manager keeps of an ArmorProfile', () => {
  it('says whether the whole one is in force', () => {
    const { document, stored } = made()
    const kept = new ProfileSlimmer().slim(structuredClone(stored))
    expect(isInForce(document, kept)).to.equal(true)
    // A client composes the answer to a write in this way.
    expect(isInForce(document, { ...kept, metadata: { ...kept.metadata } })).to.equal(true)
    const changes: ((spec: ArmorProfile['spec']) => void)[] = [
      (spec) => {
        spec.profile.appArmor += '\n'
      },
      (spec) => {
        spec.profile.seccomp = '{}'
      },
      (spec) => {
        delete spec.profile.bpf
      },
      (spec) => {
        spec.source = { policy: '{}' }
      },
      (spec) => {
        spec.behaviorModeling.duration = 7
      },
    ]
    for (const change of changes) {
      const other = structuredClone(stored)
      change(other.spec)
      expect(isInForce(document, new ProfileSlimmer().slim(other)), String(change)).to.equal(false)
    }
  })

  it('has no text of profiles, however large they are', () => {
    const { stored } = made()
    expect(JSON.stringify(stored).length).to.be.above(200_000)
    const { spec } = new ProfileSlimmer().slim(stored)
    expect(JSON.stringify(spec).length).to.be.below(1_000)
    expect(spec.profile).to.deep.equal({ name: 'varmor-demo-web', enforcer: 'AppArmorBPFSeccomp', mode: 'enforce' })
  })

  it('has its addresses as they are', () => {
    const slimmer = new ProfileSlimmer()
    const egress = [{ target: 'pods', groups: [{ addresses: ['10.0.0.1', '10.0.0.2'], ports: [80] }] }]
    const status = { egress, desiredNumberLoaded: 1, currentNumberLoaded: 1 }
    for (let i = 0; i < 2; i++)
      expect(slimmer.slim({ ...made().stored, status: structuredClone(status) }).status).to.deep.equal(status)
  })

  it('shares the texts of a bounded number of addresses', () => {
    const { stored } = made()
    const slimmer = new ProfileSlimmer()
    const each = 4_096
    for (let from = 0; from <= MAX_ADDRESSES; from += each) {
      const addresses = Array.from(
        { length: each },
        (_, i) => `10.${(from + i) >> 16}.${((from + i) >> 8) & 255}.${(from + i) & 255}`,
      )
      const egress = [{ target: 'service demo/web', groups: [{ addresses }] }]
      slimmer.slim({ ...stored, status: { ...stored.status, egress } as NonNullable<ArmorProfile['status']> })
      expect(slimmer.addresses).to.be.within(1, MAX_ADDRESSES)
    }
    expect(slimmer.addresses).to.be.below(MAX_ADDRESSES / 2)
  })
})
