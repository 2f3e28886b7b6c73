import { expect } from 'chai'
import fc from 'fast-check'
import { withDefaults } from '../../src/api/defaults.ts'
import { nodeOf } from '../../src/api/schema/node.ts'
import { varmorPolicy } from '../../src/api/schema/policy.ts'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { arbitraryOf } from './arbitrary.ts'

const policy: VarmorPolicy = {
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web' },
  spec: {
    target: { kind: 'Pod', name: 'web' },
    policy: {
      enforcer: 'BPF',
      mode: 'EnhanceProtect',
      enhanceProtect: { auditViolations: true },
      networkProxyConfig: {},
    },
  },
}

describe('withDefaults', () => {
  it('fills in what a policy leaves out, in sections that it has', () => {
    const { metadata, spec } = withDefaults(policy)
    expect(metadata).to.deep.equal({ name: 'web', namespace: 'default' })
    expect(spec.updateExistingWorkloads).to.equal(false)
    expect(spec.policy).to.deep.equal({
      enforcer: 'BPF',
      mode: 'EnhanceProtect',
      enhanceProtect: { auditViolations: true, allowViolations: false, privileged: false, protectAncestors: true },
      networkProxyConfig: { proxyUID: 1337, proxyPort: 15_001, proxyAdminPort: 15_000 },
    })
  })

  it('leaves the policy that it was given alone', () => {
    const before = structuredClone(policy)
    withDefaults(policy)
    expect(policy).to.deep.equal(before)
  })

  it('gives a cluster policy no namespace', () => {
    expect(withDefaults({ ...policy, kind: 'VarmorClusterPolicy' }).metadata).to.deep.equal({ name: 'web' })
  })

  it('changes nothing the second time, and nothing that was said', () => {
    fc.assert(
      fc.property(arbitraryOf(nodeOf(varmorPolicy)), (value) => {
        const once = withDefaults(value as VarmorPolicy)
        expect(withDefaults(once)).to.deep.equal(once)
        expect(once).to.containSubset(value)
      }),
    )
  })
})
