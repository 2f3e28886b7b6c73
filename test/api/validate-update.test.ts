import { expect } from 'chai'
import { validatePolicyUpdate } from '../../src/api/validate.ts'
import { type Json, policyWith, proxy, target } from './sample-policies.ts'

const modeling = (phase: string) =>
  policyWith(
    { mode: 'BehaviorModeling', enforcer: 'AppArmor', modelingOptions: { duration: 3 } },
    { status: { profileName: 'p', ready: true, phase } },
  )

const updates: { what: string; before: Json; after: Json; errors: string[] }[] = [
  { what: 'no change', before: policyWith(), after: policyWith(), errors: [] },
  {
    what: 'a target in another order of fields',
    before: target({ kind: 'Pod', name: 'a' }),
    after: target({ name: 'a', kind: 'Pod' }),
    errors: [],
  },
  {
    what: 'another target',
    before: target({ kind: 'Pod', name: 'a' }),
    after: target({ kind: 'Pod', name: 'b' }),
    errors: ['IMMUTABLE spec.target'],
  },
  {
    what: 'more enforcers',
    before: policyWith({ enforcer: 'BPF' }),
    after: policyWith({ enforcer: 'seccompbpf' }),
    errors: [],
  },
  {
    what: 'BPF taken away',
    before: policyWith({ enforcer: 'AppArmorBPF' }),
    after: policyWith({ enforcer: 'AppArmor' }),
    errors: [],
  },
  {
    what: 'all others taken away',
    before: policyWith({ enforcer: 'AppArmorSeccompNetworkProxy' }),
    after: policyWith({ enforcer: 'BPF' }),
    errors: ['IMMUTABLE spec.policy.enforcer', 'IMMUTABLE spec.policy.enforcer', 'IMMUTABLE spec.policy.enforcer'],
  },
  {
    what: 'leaving modelling early',
    before: modeling('Modeling'),
    after: policyWith({ enforcer: 'AppArmor' }),
    errors: ['IMMUTABLE spec.policy.mode'],
  },
  {
    what: 'leaving modelling when it is done',
    before: modeling('Completed'),
    after: policyWith({ enforcer: 'AppArmor' }),
    errors: [],
  },
  {
    what: 'an enforcer added while modelling',
    before: modeling('Modeling'),
    after: policyWith({ mode: 'BehaviorModeling', enforcer: 'AppArmorBPF', modelingOptions: { duration: 3 } }),
    errors: ['IMMUTABLE spec.policy.enforcer'],
  },
  {
    what: 'a proxy port',
    before: proxy({ proxyPort: 16_000 }),
    after: proxy({ proxyPort: 16_001 }),
    errors: ['IMMUTABLE spec.policy.networkProxyConfig.proxyPort'],
  },
  {
    what: 'a proxy port that was the default, written out',
    before: proxy({}),
    after: proxy({ proxyPort: 15_001 }),
    errors: [],
  },
  {
    what: 'a proxy port taken away with the whole section',
    before: proxy({ proxyUID: 2000 }),
    after: policyWith({ enforcer: 'NetworkProxy' }),
    errors: ['IMMUTABLE spec.policy.networkProxyConfig.proxyUID'],
  },
  {
    what: 'a proxy added',
    before: policyWith({ enforcer: 'BPF' }),
    after: policyWith({ enforcer: 'BPFNetworkProxy', networkProxyConfig: { proxyPort: 16_000 } }),
    errors: [],
  },
  {
    what: 'a change to something invalid',
    before: policyWith({ enforcer: 'AppArmor' }),
    after: policyWith({ enforcer: 'BPF', mode: 'x' }),
    errors: ['NOT_ALLOWED spec.policy.mode', 'IMMUTABLE spec.policy.enforcer'],
  },
]

describe('validatePolicyUpdate', () => {
  for (const { what, before, after, errors } of updates) {
    it(`${errors.length === 0 ? 'takes' : 'refuses'} ${what}`, () => {
      expect(validatePolicyUpdate(before, after).map(({ code, path }) => `${code} ${path}`)).to.deep.equal(errors)
    })
  }
})
