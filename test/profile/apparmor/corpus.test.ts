import { expect } from 'chai'
import fc from 'fast-check'
import type { EnhanceProtect, Policy } from '../../../src/api/types.ts'
import { catalogue } from '../../../src/rules/catalogue.ts'
import type { RuleCategory } from '../../../src/rules/meaning.ts'
import { needsParser, parse } from './loaded-profile.ts'
import { compiled, enhance } from './policies.ts'

const names = (category: RuleCategory) => catalogue.filter((rule) => rule.category === category).map(({ name }) => name)
const hardening = names('hardening')
const attacks = names('attack-protection')
const vulnerabilities = names('vulnerability-mitigation')

const verdicts = [{}, { auditViolations: true, allowViolations: true }]

function withRule(name: string): EnhanceProtect {
  if (hardening.includes(name)) return { hardeningRules: [name] }
  return vulnerabilities.includes(name)
    ? { vulMitigationRules: [name] }
    : { attackProtectionRules: [{ rules: [name] }] }
}

// Programs that built-in rules also name, so that two rules apply to the execution of one program; unusual names; and
// names that are almost equal.
const targets = fc.constantFrom(
  ...['/bin/sh', '/bin/bash', '/usr/bin/bash', '/usr/bin/curl', '/bin/busybox', '/usr/bin/su', '/usr/bin/chmod', '/sh'],
  ...[
    '/opt/my app',
    '/opt/"q"',
    '/opt/{a,b}',
    '/opt/[c]',
    '/opt/new\nline',
    '/opt/données',
    '/opt/back\\',
    '/etc/passwd',
  ],
)
const raw = fc.constantFrom(
  ...[
    'deny /etc/hosts r,',
    'audit deny /a/** rw,',
    '/opt/** rix,',
    'deny network inet,\ndeny mount,',
    'deny /**/x rx, # why',
  ],
  ...[
    'deny "/with space/{a,b}/[a-z]*" wl,',
    'deny capability sys_admin,',
    'signal (send) set=(kill) peer=other,',
    'deny ptrace,',
  ],
)
const protections: fc.Arbitrary<EnhanceProtect> = fc.record({
  hardeningRules: fc.subarray(hardening, { maxLength: 6 }),
  attackProtectionRules: fc.array(
    fc.record({ rules: fc.subarray(attacks, { maxLength: 4 }), targets: fc.uniqueArray(targets, { maxLength: 3 }) }),
    { maxLength: 4 },
  ),
  vulMitigationRules: fc.subarray(vulnerabilities),
  appArmorRawRules: fc.array(fc.record({ rules: raw, targets: fc.uniqueArray(targets, { maxLength: 2 }) }), {
    maxLength: 3,
  }),
  privileged: fc.boolean(),
  auditViolations: fc.boolean(),
  allowViolations: fc.boolean(),
  protectAncestors: fc.boolean(),
})

/** Compiles all policies in one run of apparmor_parser. Each profile has its own name. */
function expectAccepted(policies: readonly Policy[]): void {
  const { status, stderr } = parse(policies.map((policy, i) => compiled(policy, { profileName: `varmor-corpus-${i}` })))
  expect(stderr.split('\n').filter((line) => /error|conflict|invalid|failed/i.test(line))).to.deep.equal([])
  expect(status, stderr).to.equal(0)
}

describe('apparmor_parser accepts', () => {
  beforeEach(function () {
    needsParser(this)
  })

  it('every mode', () => {
    const modes = ['AlwaysAllow', 'RuntimeDefault', 'BehaviorModeling'] as const
    expectAccepted(modes.map((mode): Policy => ({ enforcer: 'AppArmor', mode })))
  })

  // For each rule, one verdict gets a privileged profile and the other verdict an ordinary profile. The next test tries
  // all combinations.
  it('every built-in rule, refused and observed, privileged and not', () => {
    const policies = catalogue.flatMap(({ name }, i) =>
      verdicts.map((verdict, j) => enhance({ ...withRule(name), ...verdict, privileged: (i + j) % 2 === 0 })),
    )
    expectAccepted(policies)
  })

  it('all rules at once, in each form', () => {
    const all = {
      hardeningRules: hardening,
      attackProtectionRules: [{ rules: attacks }],
      vulMitigationRules: vulnerabilities,
    }
    expectAccepted(
      verdicts.flatMap((verdict) => [true, false].map((privileged) => enhance({ ...all, ...verdict, privileged }))),
    )
  })

  it('any rules for any programs', () => {
    expectAccepted(fc.sample(protections, { numRuns: 30, seed: 3 }).map(enhance))
  })
})
