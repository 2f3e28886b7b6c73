import { expect } from 'chai'
import type { LinuxSeccomp, Policy } from '../../../src/api/types.ts'
import { compilePolicy } from '../../../src/profile/compile.ts'
import { oldestAppArmor, type SeccompReports } from '../../../src/profile/context.ts'
import { compileCarried, type NodeFacts, sourceOf } from '../../../src/profile/profile-source.ts'
import type { Skipped } from '../../../src/profile/result.ts'

const LOG = 'SECCOMP_FILTER_FLAG_LOG'
const SPEC_ALLOW = 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'
const both: SeccompReports = { flags: [SPEC_ALLOW, LOG, 'SECCOMP_FILTER_FLAG_NEWER'] }
const logOnly: SeccompReports = { flags: [LOG] }
const old: SeccompReports = { by: 'runc 1.1.5', why: 'runc 1.1.5 does not take it' }

/** The profile that a node writes for the policy. */
function onNode(
  policy: Partial<Policy>,
  seccompReports?: SeccompReports,
): { profile: LinuxSeccomp; skipped: readonly Skipped[] } {
  const source = sourceOf({ enforcer: 'Seccomp', mode: 'EnhanceProtect', ...policy })
  const facts: NodeFacts = { appArmor: oldestAppArmor, blockDevices: [], ...(seccompReports && { seccompReports }) }
  const carried = { profileName: 'varmor-demo-web', enforcer: 'Seccomp', recording: false, source }
  const result = compileCarried(carried, facts)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return { profile: JSON.parse(result.value.Seccomp!), skipped: result.skipped }
}

const hardeningRules = ['disallow-create-user-ns']
const audited = { hardeningRules, auditViolations: true }
const raw = (...actions: string[]) => actions.map((action, i) => ({ names: [['mkdir', 'rmdir'][i]!], action }))
const custom = (more: object, actions: string[] = ['SCMP_ACT_ALLOW']): Partial<Policy> => {
  const syscalls = actions.map((action, i) => ({ names: [['execve', 'mkdir'][i]!], action }))
  const customProfile = JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls, ...more })
  return { mode: 'DefenseInDepth', defenseInDepth: { seccomp: { profileType: 'Custom', customProfile } } }
}

describe('a seccomp profile on a node', () => {
  const cases: [what: string, policy: Partial<Policy>, flags: string[] | undefined][] = [
    ['that refuses, of a policy with auditViolations', { enhanceProtect: audited }, [SPEC_ALLOW, LOG]],
    ['that refuses, of a policy without', { enhanceProtect: { hardeningRules } }, undefined],
    [
      'that lets pass and reports: the kernel logs that in any case',
      { enhanceProtect: { ...audited, allowViolations: true } },
      undefined,
    ],
    [
      'that lets pass, with a rule of its own that refuses',
      { enhanceProtect: { ...audited, allowViolations: true, syscallRawRules: raw('SCMP_ACT_TRAP') as never } },
      [SPEC_ALLOW, LOG],
    ],
    [
      'whose rules kill: the kernel logs that in any case',
      { enhanceProtect: { auditViolations: true, syscallRawRules: raw('SCMP_ACT_KILL_PROCESS') as never } },
      undefined,
    ],
    ['without a rule', { enhanceProtect: { auditViolations: true } }, undefined],
    ['of a profile that is its user’s own', custom({}), [SPEC_ALLOW, LOG]],
    ['of one with flags', custom({ flags: ['SECCOMP_FILTER_FLAG_TSYNC'] }), ['SECCOMP_FILTER_FLAG_TSYNC', LOG]],
    ['of one with no flags at all, which is not the default', custom({ flags: [] }), [LOG]],
    ['of one that has the flag', custom({ flags: [LOG] }), [LOG]],
    [
      'of one that is only observed',
      { ...custom({}), defenseInDepth: { ...custom({}).defenseInDepth, allowViolations: true } },
      undefined,
    ],
    ['that allows all', { mode: 'AlwaysAllow' }, undefined],
    ['that is for recording', { mode: 'BehaviorModeling', modelingOptions: { duration: 1 } }, undefined],
  ]
  for (const [what, policy, flags] of cases)
    it(`${what}: ${flags === undefined ? 'has no flags' : flags.join(', ')}`, () => {
      const { profile, skipped } = onNode(policy, both)
      expect(profile.flags).to.deep.equal(flags)
      expect(skipped.filter(({ rule }) => rule.includes('reports'))).to.deep.equal([])
      // Except for its flags, this profile equals the profile in the ArmorProfile.
      const { flags: _, ...rest } = profile
      const { flags: __, ...without } = onNode(policy).profile
      expect(rest).to.deep.equal(without)
    })

  it('has of the default flags only what the node takes', () => {
    expect(onNode({ enhanceProtect: audited }, logOnly).profile.flags).to.deep.equal([LOG])
  })

  it('has none where a runtime would start no container of it, and says what is to blame', () => {
    for (const policy of [{ enhanceProtect: audited }, custom({})]) {
      const { profile, skipped } = onNode(policy, old)
      expect(profile).to.not.have.property('flags')
      const [note, ...more] = skipped.filter(({ rule }) => rule.includes('reports'))
      expect(note).to.deep.include({ enforcer: 'Seccomp', rule: 'reports of refusals (runc 1.1.5)' })
      expect(note!.reason).to.equal('runc 1.1.5 does not take it')
      expect(more).to.deep.equal([])
    }
    expect(onNode({ enhanceProtect: { hardeningRules } }, old).skipped).to.deep.equal([])
  })

  it('has none where each call that a tracer or listener decides on would be logged, too', () => {
    const trace = { enhanceProtect: { ...audited, syscallRawRules: raw('SCMP_ACT_TRACE') as never } }
    const notify = custom({ listenerPath: '/run/seccomp-agent/a.sock' }, ['SCMP_ACT_ALLOW', 'SCMP_ACT_NOTIFY'])
    for (const policy of [trace, notify])
      for (const reports of [both, old, undefined]) {
        const { profile, skipped } = onNode(policy, reports)
        expect(profile).to.not.have.property('flags')
        expect(skipped.map(({ rule }) => rule)).to.include('reports of refusals')
      }
  })

  it('is the same for every node in the ArmorProfile, which leaves what is missing for nodes to say', () => {
    const spec = { target: { kind: 'Pod', name: 'web' }, policy: { enforcer: 'Seccomp', mode: 'EnhanceProtect' } }
    const object = {
      ...{ apiVersion: 'crd.varmor.org/v1beta1', kind: 'VarmorPolicy', metadata: { name: 'web', namespace: 'demo' } },
      spec: { ...spec, policy: { ...spec.policy, enhanceProtect: audited } },
    }
    const compiled = compilePolicy(object)
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
    expect(compiled.value.enforcers.Seccomp?.profile).to.not.have.property('flags')
    expect(compiled.skipped).to.deep.equal([])
  })
})
