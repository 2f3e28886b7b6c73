import { expect } from 'chai'
import type { FieldErrorCode } from '../../../src/api/field-error.ts'
import type { DefenseInDepth, EnhanceProtect, LinuxSeccomp, Policy } from '../../../src/api/types.ts'
import { type CompileContext, oldestAppArmor } from '../../../src/profile/context.ts'
import type { Skipped } from '../../../src/profile/result.ts'
import { compileSeccomp } from '../../../src/profile/seccomp/compile-seccomp.ts'
import { alwaysNeeded } from '../../../src/profile/seccomp/modeling.ts'
import { outcomeOf } from './semantics.ts'

const context: CompileContext = { profileName: 'varmor-demo-web', appArmor: oldestAppArmor }
const NEWUSER = 0x1000_0000n

function compile(policy: Partial<Policy>, more: Partial<CompileContext> = {}) {
  return compileSeccomp({ enforcer: 'Seccomp', mode: 'EnhanceProtect', ...policy }, 'spec.policy', {
    ...context,
    ...more,
  })
}

function compiled(
  policy: Partial<Policy>,
  more?: Partial<CompileContext>,
): { profile: LinuxSeccomp; skipped: Skipped[] } {
  const result = compile(policy, more)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return { profile: result.value, skipped: result.skipped }
}

const protect = (enhanceProtect: EnhanceProtect) => compiled({ enhanceProtect })
const defend = (profile: object, more: Partial<DefenseInDepth> = {}, rawRules: object[] = []) =>
  compiled({
    mode: 'DefenseInDepth',
    defenseInDepth: {
      seccomp: { profileType: 'Custom', customProfile: JSON.stringify(profile), syscallRawRules: rawRules as never },
      ...more,
    },
  })

const userns = { hardeningRules: ['disallow-create-user-ns'] }

describe('seccomp, the modes that allow', () => {
  it('AlwaysAllow allows all, by every ABI of x86-64 and arm64', () => {
    expect(compiled({ mode: 'AlwaysAllow' })).to.deep.equal({
      profile: {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
      },
      skipped: [],
    })
  })

  it('RuntimeDefault allows all, and says that the webhook names another profile', () => {
    const { profile, skipped } = compiled({ mode: 'RuntimeDefault' })
    expect(profile.defaultAction).to.equal('SCMP_ACT_ALLOW')
    expect(skipped[0]).to.include({ path: 'spec.policy.mode', rule: 'RuntimeDefault' })
  })

  it('BehaviorModeling logs all but what every container needs, and nothing once it is complete', () => {
    const { profile } = compiled({ mode: 'BehaviorModeling' })
    expect(profile).to.include({ defaultAction: 'SCMP_ACT_LOG' })
    expect(profile.syscalls?.[0]).to.deep.equal({
      names: [...alwaysNeeded],
      action: 'SCMP_ACT_ALLOW',
    })
    expect(outcomeOf(profile, 'mount')).to.equal('LOG')
    const complete = compiled({ mode: 'BehaviorModeling' }, { modelingComplete: true }).profile
    expect(complete).to.deep.equal(compiled({ mode: 'AlwaysAllow' }).profile)
  })

  it("BehaviorModeling goes on to refuse what the runtime's default refuses", () => {
    const { profile } = compiled({ mode: 'BehaviorModeling' })
    for (const name of ['keyctl', 'userfaultfd', 'io_uring_setup', 'kexec_load', 'pivot_root'])
      expect(outcomeOf(profile, name), name).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'unshare', [NEWUSER])).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'unshare', [0n])).to.equal('LOG')
    expect(outcomeOf(profile, 'clone', [NEWUSER | 17n])).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'clone3')).to.equal('ERRNO 38')
    expect(outcomeOf(profile, 'socket', [40n])).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'socket', [2n])).to.equal('LOG')
  })
})

describe('seccomp, EnhanceProtect', () => {
  it('allows all but what the rules are against', () => {
    const { profile } = protect(userns)
    expect(outcomeOf(profile, 'unshare', [NEWUSER])).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'unshare', [0n])).to.equal('ALLOW')
    expect(outcomeOf(profile, 'clone3')).to.equal('ERRNO 38')
  })

  it('logs instead, where violations are audited and allowed, what would show something', () => {
    const { profile } = protect({ ...userns, auditViolations: true, allowViolations: true })
    expect(outcomeOf(profile, 'unshare', [NEWUSER])).to.equal('LOG')
    expect(outcomeOf(profile, 'clone3')).to.equal('ALLOW')
  })

  it('does nothing, and says so, where violations are allowed and not audited', () => {
    const { profile, skipped } = protect({ ...userns, allowViolations: true })
    expect(profile).to.not.have.property('syscalls')
    expect(skipped.map(({ rule }) => rule)).to.deep.equal(['disallow-create-user-ns'])
  })

  it('says that privileged containers get no profile, and makes one for the others', () => {
    const { profile, skipped } = protect({ ...userns, privileged: true })
    expect(outcomeOf(profile, 'unshare', [NEWUSER])).to.equal('ERRNO 1')
    expect(skipped[0]).to.include({ path: 'spec.policy.enhanceProtect.privileged', rule: 'privileged' })
  })

  it('names the rules that a filter cannot carry, and those for single programs', () => {
    const { profile, skipped } = protect({
      attackProtectionRules: [
        { rules: ['mitigate-sa-leak'] },
        { rules: ['disable-chmod-x-bit'], targets: ['/bin/sh'] },
      ],
    })
    expect(profile).to.not.have.property('syscalls')
    expect(skipped.map(({ path }) => path)).to.deep.equal([
      'spec.policy.enhanceProtect.attackProtectionRules[0].rules[0]',
      'spec.policy.enhanceProtect.attackProtectionRules[1].rules[0]',
    ])
  })

  it('carries raw rules as they are written, one argument given twice meaning "or"', () => {
    const bit = (value: number) => ({ index: 2, value, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' as const })
    const { profile } = protect({
      syscallRawRules: [
        { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [bit(0x40), bit(8), bit(1)] },
        { names: ['ptrace', 'tee'], action: 'SCMP_ACT_KILL_PROCESS' },
        { names: ['bpf'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, args: [{ index: 0, value: 9, op: 'SCMP_CMP_GT' }] },
      ],
    })
    expect(profile.syscalls).to.deep.equal([
      { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [bit(0x40)] },
      { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [bit(8)] },
      { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [bit(1)] },
      { names: ['ptrace', 'tee'], action: 'SCMP_ACT_KILL_PROCESS' },
      { names: ['bpf'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, args: [{ index: 0, value: 9, op: 'SCMP_CMP_GT' }] },
    ])
  })

  it('names a system call that does not exist, with the one that was meant', () => {
    const { profile, skipped } = protect({ syscallRawRules: [{ names: ['opnat', 'tee'], action: 'SCMP_ACT_ERRNO' }] })
    expect(profile.syscalls).to.deep.equal([{ names: ['tee'], action: 'SCMP_ACT_ERRNO' }])
    expect(skipped[0]?.rule).to.equal('opnat')
    expect(skipped[0]?.reason).to.match(/did you mean "openat"/)
  })

  it('lets a raw rule go before a built-in one, and names a built-in one of which nothing is left', () => {
    const { profile, skipped } = protect({
      vulMitigationRules: ['dirty-pipe-mitigation'],
      syscallRawRules: [{ names: ['splice'], action: 'SCMP_ACT_LOG' }],
    })
    expect(outcomeOf(profile, 'splice')).to.equal('LOG')
    expect(skipped.map(({ rule }) => rule)).to.include('dirty-pipe-mitigation')
  })

  it('does not let a raw rule that allows lift a built-in one', () => {
    const { profile, skipped } = protect({
      ...userns,
      syscallRawRules: [{ names: ['unshare'], action: 'SCMP_ACT_ALLOW' }],
    })
    expect(outcomeOf(profile, 'unshare', [NEWUSER])).to.equal('ERRNO 1')
    expect(skipped[0]).to.include({ rule: 'unshare', path: 'spec.policy.enhanceProtect.syscallRawRules[0]' })
  })

  it('closes the second way to a call that 32-bit x86 has', () => {
    const { profile } = protect({
      syscallRawRules: [
        { names: ['socket'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 38, op: 'SCMP_CMP_EQ' }] },
        { names: ['shmget'], action: 'SCMP_ACT_ERRNO' },
      ],
    })
    expect(outcomeOf(profile, 'socketcall', [1n])).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'socketcall', [2n])).to.equal('ALLOW')
    expect(outcomeOf(profile, 'ipc', [0x1_0017n])).to.equal('ERRNO 1')
  })

  it('is the same for the same policy', () => {
    expect(JSON.stringify(protect(userns))).to.equal(JSON.stringify(protect(structuredClone(userns))))
  })
})

describe('seccomp, DefenseInDepth', () => {
  const allowList = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [{ names: ['execve', 'clone', 'read'], action: 'SCMP_ACT_ALLOW' }],
  }
  const newUser = { index: 0, value: Number(NEWUSER), valueTwo: Number(NEWUSER), op: 'SCMP_CMP_MASKED_EQ' }

  it("keeps the user's profile as it is", () => {
    expect(defend(allowList)).to.deep.equal({ profile: allowList, skipped: [] })
  })

  it('refuses what the profile does not allow, also where it says that it would allow all', () => {
    const { profile, skipped } = defend({ ...allowList, defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] })
    expect(profile).to.include({ defaultAction: 'SCMP_ACT_ERRNO' }).and.not.have.property('syscalls')
    expect(skipped.map(({ rule }) => rule)).to.deep.equal(['defaultAction', 'execve'])
  })

  it('keeps a default that refuses harder', () => {
    const { profile } = defend({ ...allowList, defaultAction: 'SCMP_ACT_KILL_PROCESS' })
    expect(outcomeOf(profile, 'mount')).to.equal('KILL_PROCESS')
    const enosys = defend({ ...allowList, defaultErrnoRet: 38 }).profile
    expect(outcomeOf(enosys, 'mount')).to.equal('ERRNO 38')
  })

  it('logs what would be refused, where violations are allowed', () => {
    const rules = [...allowList.syscalls, { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]
    const { profile } = defend({ ...allowList, syscalls: rules }, { allowViolations: true })
    expect(['mount', 'clone3', 'read'].map((name) => outcomeOf(profile, name))).to.deep.equal(['LOG', 'LOG', 'ALLOW'])
  })

  it('lets a raw rule refuse a part of what the profile allows', () => {
    const raw = [{ names: ['clone'], action: 'SCMP_ACT_ERRNO', args: [newUser] }]
    const { profile } = defend(allowList, {}, raw)
    expect(outcomeOf(profile, 'clone', [NEWUSER | 17n])).to.equal('ERRNO 1')
    expect(outcomeOf(profile, 'clone', [17n])).to.equal('ALLOW')
    expect(outcomeOf(profile, 'read')).to.equal('ALLOW')
  })

  it('lets a raw rule allow what the profile refuses', () => {
    const strict = { ...allowList, syscalls: [...allowList.syscalls, { names: ['tee'], action: 'SCMP_ACT_KILL' }] }
    const raw = [{ names: ['tee', 'splice'], action: 'SCMP_ACT_ALLOW' }]
    const { profile } = defend(strict, {}, raw)
    expect(['tee', 'splice', 'vmsplice'].map((name) => outcomeOf(profile, name))).to.deep.equal([
      'ALLOW',
      'ALLOW',
      'ERRNO 1',
    ])
  })

  it('reads a profile that contradicts itself as libseccomp does: the rule without arguments wins', () => {
    const rules = [
      { names: ['clone'], action: 'SCMP_ACT_LOG', args: [newUser] },
      { names: ['clone', 'execve'], action: 'SCMP_ACT_ALLOW' },
    ]
    const { profile } = defend({ ...allowList, syscalls: rules })
    expect(outcomeOf(profile, 'clone', [NEWUSER])).to.equal('ALLOW')
  })

  it("takes the model's profile, and says when there is none", () => {
    const policy: Partial<Policy> = {
      mode: 'DefenseInDepth',
      defenseInDepth: { seccomp: { profileType: 'BehaviorModel' } },
    }
    expect(compiled(policy, { model: { seccomp: JSON.stringify(allowList) } }).profile).to.deep.equal(allowList)
    expect(compile(policy)).to.have.nested.property('errors[0].code', 'MISSING_MODEL')
  })

  it('takes SCMP_ACT_NOTIFY where the profile has a listener', () => {
    const notify = { names: ['mknod'], action: 'SCMP_ACT_NOTIFY' }
    const { profile } = defend({ ...allowList, listenerPath: '/run/seccomp-agent/demo.sock' }, {}, [notify])
    expect(outcomeOf(profile, 'mknod')).to.equal('NOTIFY')
  })
})

describe('seccomp refuses', () => {
  const raw = (rule: object): Partial<Policy> => ({ enhanceProtect: { syscallRawRules: [rule as never] } })
  const arg = (argument: object) => raw({ names: ['tee'], action: 'SCMP_ACT_ERRNO', args: [argument] })
  const custom = (customProfile: string): Partial<Policy> => ({
    mode: 'DefenseInDepth',
    defenseInDepth: { seccomp: { profileType: 'Custom', customProfile } },
  })
  const json = (profile: object) => custom(JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', ...profile }))
  const at = 'spec.policy.enhanceProtect.syscallRawRules[0]'
  const profileAt = 'spec.policy.defenseInDepth.seccomp.customProfile'

  // biome-ignore format: a table reads better
  const refused: [string, Partial<Policy>, string, RegExp, FieldErrorCode?][] = [
    ['an unknown rule', { enhanceProtect: { hardeningRules: ['disalow-mount'] } }, 'spec.policy.enhanceProtect.hardeningRules[0]', /no built-in rule/, 'UNKNOWN_RULE'],
    ['a rule in the wrong list', { enhanceProtect: { hardeningRules: ['mitigate-sa-leak'] } }, 'spec.policy.enhanceProtect.hardeningRules[0]', /belongs in attackProtectionRules/, 'UNKNOWN_RULE'],
    ['a mode without its section', {}, 'spec.policy.enhanceProtect', /EnhanceProtect needs this section/, 'REQUIRED'],
    ['no custom profile', custom(''), profileAt, /needs the JSON/, 'REQUIRED'],
    ['an unknown action', raw({ names: ['tee'], action: 'SCMP_ACT_ERNO' }), `${at}.action`, /not a seccomp action/],
    ['no names', raw({ names: [], action: 'SCMP_ACT_ERRNO' }), `${at}.names`, /one or more/],
    ['an empty name', raw({ names: ['tee', ''], action: 'SCMP_ACT_ERRNO' }), `${at}.names[1]`, /name of a system call/],
    ['a listener that is not there', raw({ names: ['tee'], action: 'SCMP_ACT_NOTIFY' }), `${at}.action`, /listener/],
    ['an errno over 4095', raw({ names: ['tee'], action: 'SCMP_ACT_ERRNO', errnoRet: 4096 }), `${at}.errnoRet`, /0 to 4095/],
    ['an errno without meaning', raw({ names: ['tee'], action: 'SCMP_ACT_KILL', errnoRet: 1 }), `${at}.errnoRet`, /no meaning/],
    ['a seventh argument', arg({ index: 6, value: 0, op: 'SCMP_CMP_EQ' }), `${at}.args[0].index`, /number of an argument/],
    ['a value that JSON cannot carry', arg({ index: 0, value: 2 ** 53, op: 'SCMP_CMP_EQ' }), `${at}.args[0].value`, /exactly/],
    ['a negative value', arg({ index: 0, value: -1, op: 'SCMP_CMP_EQ' }), `${at}.args[0].value`, /whole number/],
    ['an unknown operator', arg({ index: 0, value: 0, op: 'SCMP_CMP_EQUAL' }), `${at}.args[0].op`, /not a comparison/],
    ['broken JSON', custom('{\n "defaultAction": SCMP }'), profileAt, /line 2, column 19/],
    ['JSON of another kind', custom('[]'), profileAt, /JSON object/],
    ['a key that comes twice', custom('{"syscalls": [], "syscalls": []}'), profileAt, /occurs twice/],
    ['no default action', json({ defaultAction: undefined }), profileAt, /defaultAction is not a seccomp action/],
    ['a default that asks a listener', json({ defaultAction: 'SCMP_ACT_NOTIFY' }), profileAt, /cannot be SCMP_ACT_NOTIFY/],
    ['a listener for write', json({ listenerPath: '/run/seccomp-agent.socket', syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }] }), profileAt, /hands over the listener/],
    ...['/run/containerd/containerd.sock', '/run/seccomp-agent/../docker.sock', 'run/x', '/run/seccomp-agent/'].map(
      (listenerPath): (typeof refused)[number] => [`the listener ${listenerPath}`, json({ listenerPath }), profileAt, /^listenerPath is not a socket for listeners/],
    ),
    ['an unknown field', json({ sycalls: [] }), profileAt, /sycalls is not a field/],
    ["Docker's own form", json({ archMap: [] }), profileAt, /Docker/],
    ["Docker's conditional rules", json({ syscalls: [{ names: ['bpf'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_BPF'] } }] }), profileAt, /includes belongs to Docker's own/],
    ['an unknown architecture', json({ architectures: ['SCMP_ARCH_X86_65'] }), profileAt, /not known to runc/],
    ['both byte orders', json({ architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_S390X'] }), profileAt, /both byte orders/],
    ['an unknown flag', json({ flags: ['LOG'] }), profileAt, /not known to runc/],
    ['a rule in the profile, by its place', json({ syscalls: [{ names: ['tee'], action: 'SCMP_ACT_ALLOW' }, { names: ['tee'], action: 'ALLOW' }] }), profileAt, /^syscalls\[1\]\.action/],
    ['a list that is none', json({ syscalls: {} }), profileAt, /syscalls must be a list/],
  ]
  for (const [what, policy, path, problem, code = 'BAD_SECCOMP_RULE'] of refused) {
    it(what, () => {
      const result = compile(policy)
      if (result.ok) throw new Error(`was taken: ${JSON.stringify(result.value)}`)
      expect(result.errors[0]).to.include({ code, path })
      expect(result.errors[0]?.problem).to.match(problem)
    })
  }

  it('everything that is wrong, at once', () => {
    const result = compile({
      enhanceProtect: {
        hardeningRules: ['nope', 'disallow-mount', 'disable-curl'],
        syscallRawRules: [{ names: [], action: 'X' as never, args: [{ index: 9, value: -1, op: 'Y' as never }] }],
      },
    })
    expect(result.ok ? [] : result.errors).to.have.length(7)
  })

  it('raw rules of which libseccomp builds a wrong filter, or never finishes one', () => {
    const rule = (...args: object[]) => ({ names: ['tee'], action: 'SCMP_ACT_ERRNO', args })
    const same = { index: 0, value: 7, op: 'SCMP_CMP_GE' }
    const equal = (index: number) => ({ index, value: 1, op: 'SCMP_CMP_EQ' })
    const rules = [rule(same, equal(1)), rule(same, equal(2))]
    const result = compile({ enhanceProtect: { syscallRawRules: rules as never } })
    expect(result).to.have.nested.property('errors[0].path', 'spec.policy.enhanceProtect.syscallRawRules[1]')
    const inProfile = compile(
      json({
        syscalls: [
          { names: ['execve'], action: 'SCMP_ACT_ALLOW' },
          ...rules.map((one) => ({ ...one, action: 'SCMP_ACT_ALLOW' })),
        ],
      }),
    )
    expect(inProfile).to.have.nested.property('errors[0].code', 'BAD_SECCOMP_RULE')
  })

  it('raw rules that overlap without words for what is left', () => {
    const result = compile({
      enhanceProtect: {
        syscallRawRules: [
          { names: ['bpf'], action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 3, op: 'SCMP_CMP_GE' }] },
          {
            names: ['bpf'],
            action: 'SCMP_ACT_KILL',
            args: [{ index: 0, value: 4, valueTwo: 4, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
    })
    expect(result).to.have.nested.property('errors[0].path', 'spec.policy.enhanceProtect.syscallRawRules[1]')
  })
})
