import { expect } from 'chai'
import fc from 'fast-check'
import type { Policy } from '../../src/api/types.ts'
import { compilePolicy } from '../../src/profile/compile.ts'
import { coverageOf } from '../../src/profile/coverage.ts'
import { ruleNames } from '../../src/rules/catalogue.ts'

function coverage(enforcer: string, mode: string, part: object) {
  const policy = { enforcer, mode, ...part } as Policy
  const result = compilePolicy({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name: 'web', namespace: 'demo' },
    spec: { target: { kind: 'Deployment', name: 'web' }, policy },
  })
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  const { nothing, parts, newer } = coverageOf(policy, result.skipped)
  return { nothing, parts: [...new Set(parts.map((part) => part.enforcer))], newer }
}

const protect = (part: object) => ({ enhanceProtect: part })
const hardening = (...hardeningRules: string[]) => protect({ hardeningRules })
const targeted = protect({ attackProtectionRules: [{ rules: ['disable-shell'], targets: ['/bin/a'] }] })
const calls = (action: string) => protect({ syscallRawRules: [{ names: ['tee'], action }] })
const egress = protect({ networkProxyRawRules: { egress: { defaultAction: 'deny' } } })

interface Row {
  what: string
  enforcer: string
  mode?: string
  part?: object
  /** Text of the message that nothing is enforced; undefined if the compiler must not report this. */
  nothing?: string
  parts?: string[]
  /** If only rules for a newer AppArmor are left: these rules, and the remedy in the message. */
  newer?: { rules: string[]; nothing: string }
}

const rows: Row[] = [
  { what: 'a rule that its enforcer carries', enforcer: 'AppArmor', part: hardening('disallow-mount') },
  {
    what: 'a rule that one of two carries',
    enforcer: 'AppArmorSeccomp',
    part: hardening('disallow-write-core-pattern'),
    parts: ['Seccomp'],
  },
  {
    what: 'a rule that its enforcer does not carry',
    enforcer: 'Seccomp',
    part: hardening('disallow-write-core-pattern'),
    nothing: 'add AppArmor or BPF to',
    parts: ['Seccomp'],
  },
  {
    what: 'one of two rules',
    enforcer: 'Seccomp',
    part: hardening('disallow-write-core-pattern', 'disallow-userfaultfd-creation'),
    parts: ['Seccomp'],
  },
  {
    what: 'rules for some programs, which AppArmor alone has',
    enforcer: 'BPFSeccomp',
    part: targeted,
    nothing: 'add AppArmor to',
    parts: ['BPF', 'Seccomp'],
  },
  {
    what: 'no enforcer but the proxy',
    enforcer: 'NetworkProxy',
    part: hardening('disallow-mount'),
    nothing: 'add AppArmor or BPF or Seccomp to',
    parts: ['NetworkProxy'],
  },
  {
    what: 'the proxy alone in the mode RuntimeDefault',
    enforcer: 'NetworkProxy',
    mode: 'RuntimeDefault',
    nothing: 'add AppArmor or BPF or Seccomp to',
    parts: ['NetworkProxy'],
  },
  {
    what: 'rules for the proxy alone',
    enforcer: 'AppArmorNetworkProxy',
    part: egress,
    nothing: 'no other enforcer supports them',
    parts: ['NetworkProxy'],
  },
  {
    what: 'raw rules for an enforcer that is not named',
    enforcer: 'AppArmor',
    part: calls('SCMP_ACT_ERRNO'),
    nothing: 'add Seccomp to',
    parts: ['Seccomp'],
  },
  { what: 'raw rules of each enforcer', enforcer: 'Seccomp', part: calls('SCMP_ACT_ERRNO') },
  {
    what: 'raw AppArmor rules that need a newer one',
    enforcer: 'AppArmor',
    part: protect({ appArmorRawRules: [{ rules: 'deny userns,' }] }),
    newer: { rules: ['deny userns'], nothing: 'no other enforcer supports them; or update the nodes' },
  },
  {
    what: 'a rule that needs a newer AppArmor',
    enforcer: 'AppArmorNetworkProxy',
    part: hardening('disallow-create-user-ns'),
    parts: ['NetworkProxy'],
    newer: {
      rules: ['disallow-create-user-ns'],
      nothing: 'add BPF or Seccomp to spec.policy.enforcer to enforce them; or',
    },
  },
  {
    what: 'a rule that needs a newer AppArmor, or another enforcer that is there',
    enforcer: 'AppArmorSeccomp',
    part: hardening('disallow-create-user-ns'),
  },
  {
    what: 'raw AppArmor rules of which one needs a newer one',
    enforcer: 'AppArmor',
    part: protect({ appArmorRawRules: [{ rules: 'deny userns,\ndeny /etc/x w,' }] }),
  },
  {
    what: 'a profile of its own for the enforcer that is named',
    enforcer: 'Seccomp',
    mode: 'DefenseInDepth',
    part: {
      defenseInDepth: { seccomp: { profileType: 'Custom', customProfile: '{"defaultAction":"SCMP_ACT_ERRNO"}' } },
    },
  },
  { what: 'a seccomp policy of the runtime', enforcer: 'Seccomp', mode: 'RuntimeDefault' },
  { what: 'a policy that allows all', enforcer: 'NetworkProxy', mode: 'AlwaysAllow' },
  { what: 'a policy that names no rule', enforcer: 'Seccomp', part: protect({}) },
  { what: 'calls that are allowed anyway', enforcer: 'AppArmor', part: calls('SCMP_ACT_ALLOW') },
  {
    what: 'violations that are let through, as asked',
    enforcer: 'Seccomp',
    part: protect({ hardeningRules: ['disallow-userfaultfd-creation'], allowViolations: true }),
  },
]

describe('what of a policy is enforced', () => {
  for (const { what, enforcer, mode = 'EnhanceProtect', part = {}, nothing, parts = [], newer } of rows)
    it(`${what}: ${nothing === undefined ? 'not nothing' : 'nothing'}`, () => {
      const found = coverage(enforcer, mode, part)
      expect(found.parts).to.deep.equal(parts)
      expect(found.newer?.skipped.map(({ rule }) => rule)).to.deep.equal(newer?.rules)
      if (newer !== undefined) expect(found.newer?.nothing).to.contain(newer.nothing)
      if (nothing === undefined) expect(found.nothing).to.equal('')
      else expect(found.nothing).to.contain(nothing)
    })

  it('is never nothing where the enforcers that the message names are added', () => {
    const names = fc.uniqueArray(fc.constantFrom(...ruleNames('hardening')), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(names, fc.constantFrom('AppArmor', 'BPF', 'Seccomp', 'NetworkProxy'), (rules, enforcer) => {
        const { nothing } = coverage(enforcer, 'EnhanceProtect', hardening(...rules))
        for (const other of /add (.*) to spec/.exec(nothing)?.[1]?.split(' or ') ?? [])
          expect(coverage(`${enforcer}${other}`, 'EnhanceProtect', hardening(...rules)).nothing).to.equal('')
      }),
    )
  })
})
