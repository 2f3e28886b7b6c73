import { expect } from 'chai'
import fc from 'fast-check'
import type { LinuxSeccomp } from '../../../src/api/types.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import { compileSeccomp } from '../../../src/profile/seccomp/compile-seccomp.ts'
import { catalogue } from '../../../src/rules/catalogue.ts'
import { callArguments, conditions } from './arbitrary-rules.ts'
import { attempt, type Call, kernelIsThere } from './kernel.ts'
import { outcomeOf } from './semantics.ts'

const EPERM = 1
const ENOSYS = 38
const CLONE_NEWUSER = 0x1000_0000
const HIGH_BIT = 1n << 32n

const context = { profileName: 'test', appArmor: oldestAppArmor }

function protect(enhanceProtect: object): LinuxSeccomp {
  const policy = { enforcer: 'Seccomp', mode: 'EnhanceProtect' as const, enhanceProtect }
  const result = compileSeccomp(policy, 'spec.policy', context)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

/** An attack that a rule refuses, and a similar harmless call that the rule allows. */
interface Attack {
  rules: object
  call: Call
  errno: number
  passes: Call
}

const userns = { hardeningRules: ['disallow-create-user-ns'] }
const bpf = { hardeningRules: ['disallow-load-all-bpf-prog'] }
const sockopt = { hardeningRules: ['disallow-load-bpf-via-setsockopt'] }
const chmod = { attackProtectionRules: [{ rules: ['disable-chmod-x-bit'] }] }

// biome-ignore format: a table reads better
const attacks: Record<string, Attack> = {
  'unshare into a user namespace': { rules: userns, call: { name: 'unshare', args: [CLONE_NEWUSER] }, errno: EPERM, passes: { name: 'unshare', args: [0] } },
  'unshare, among other flags': { rules: userns, call: { name: 'unshare', args: [0x7e02_0000] }, errno: EPERM, passes: { name: 'unshare', args: [0] } },
  'unshare, a bit set that the kernel drops': { rules: userns, call: { name: 'unshare', args: [HIGH_BIT | BigInt(CLONE_NEWUSER)] }, errno: EPERM, passes: { name: 'unshare', args: [0] } },
  'unshare by the 32-bit ABI': { rules: userns, call: { name: 'unshare', args: [CLONE_NEWUSER], i386: true }, errno: EPERM, passes: { name: 'unshare', args: [0], i386: true } },
  'clone into a user namespace': { rules: userns, call: { name: 'clone', args: [CLONE_NEWUSER | 17, 0, 0, 0, 0] }, errno: EPERM, passes: { name: 'clone', args: [17, 0, 0, 0, 0] } },
  'clone3, whose flags no filter sees': { rules: userns, call: { name: 'clone3', args: [0, 0] }, errno: ENOSYS, passes: { name: 'getpid' } },
  'bpf(BPF_PROG_LOAD)': { rules: bpf, call: { name: 'bpf', args: [5, 0, 0] }, errno: EPERM, passes: { name: 'getpid' } },
  'bpf, a bit set that the kernel drops': { rules: bpf, call: { name: 'bpf', args: [HIGH_BIT | 5n, 0, 0] }, errno: EPERM, passes: { name: 'getpid' } },
  'setsockopt(SO_ATTACH_FILTER)': { rules: sockopt, call: { name: 'setsockopt', args: [999, 1, 26, 0, 0] }, errno: EPERM, passes: { name: 'getpid' } },
  'setsockopt, bits set that the kernel drops': { rules: sockopt, call: { name: 'setsockopt', args: [999, HIGH_BIT | 1n, HIGH_BIT | 26n, 0, 0] }, errno: EPERM, passes: { name: 'getpid' } },
  'setsockopt by way of socketcall': { rules: sockopt, call: { name: 'socketcall', args: [14, 0], i386: true }, errno: EPERM, passes: { name: 'socketcall', args: [5, 0], i386: true } },
  'fchmod that makes executable': { rules: chmod, call: { name: 'fchmod', args: [999, 0o110] }, errno: EPERM, passes: { name: 'getpid' } },
  'fchmod, a bit set that the kernel drops': { rules: chmod, call: { name: 'fchmod', args: [999, HIGH_BIT | 0o1n] }, errno: EPERM, passes: { name: 'getpid' } },
  'a raw rule on a call of socketcall': {
    rules: { syscallRawRules: [{ names: ['socket'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 38, op: 'SCMP_CMP_EQ' }] }] },
    call: { name: 'socketcall', args: [1, 0], i386: true }, errno: EPERM, passes: { name: 'socketcall', args: [5, 0], i386: true },
  },
  'a raw rule on a call of ipc': {
    rules: { syscallRawRules: [{ names: ['shmdt'], action: 'SCMP_ACT_ERRNO', errnoRet: 99 }] },
    call: { name: 'ipc', args: [0x1_0016, 0], i386: true }, errno: 99, passes: { name: 'ipc', args: [0xff, 0], i386: true },
  },
}

describe('a seccomp profile, loaded into the kernel', () => {
  before(function () {
    if (!kernelIsThere()) this.skip() // Debian and Ubuntu: python3-seccomp
  })

  for (const [name, { rules, call, errno, passes }] of Object.entries(attacks)) {
    it(`refuses ${name}, and its neighbour passes`, function () {
      const [[refused, passed] = []] = attempt([{ profile: protect(rules), calls: [call, passes] }])
      if (refused === undefined) return this.skip() // no such ABI on this machine
      expect(refused.under).to.equal(errno)
      expect(passed?.under).to.equal(passed?.without)
    })
  }

  it('is accepted by libseccomp for every rule of the catalogue', () => {
    const lists = { hardening: 'hardeningRules', 'vulnerability-mitigation': 'vulMitigationRules' } as const
    const profiles = catalogue.map(({ name, category }) =>
      protect(
        category === 'attack-protection'
          ? { attackProtectionRules: [{ rules: [name] }] }
          : { [lists[category]]: [name] },
      ),
    )
    const calls = [{ name: 'getpid' }]
    for (const [result] of attempt(profiles.map((profile) => ({ profile, calls })))) expect(result?.under).to.equal(0)
  })

  it('does what its words say, for raw rules of every kind', () => {
    const sample = fc.record({ all: conditions, calls: fc.array(callArguments, { minLength: 8, maxLength: 8 }) })
    const jobs = fc.sample(sample, 60).flatMap(({ all, calls }) => {
      const syscallRawRules = all.map((args, i) => ({
        names: ['getppid'],
        args,
        ...(i === 2 ? { action: 'SCMP_ACT_LOG' as const } : { action: 'SCMP_ACT_ERRNO' as const, errnoRet: 101 + i }),
      }))
      const policy = { enforcer: 'Seccomp', mode: 'EnhanceProtect' as const, enhanceProtect: { syscallRawRules } }
      const result = compileSeccomp(policy, 'spec.policy', context)
      return result.ok ? [{ profile: result.value, calls: calls.map((args) => ({ name: 'getppid', args })) }] : []
    })
    expect(jobs).to.have.length.above(20)
    for (const [i, results] of attempt(jobs).entries()) {
      const { profile, calls } = jobs[i]!
      for (const [j, result] of results.entries()) {
        const said = outcomeOf(profile, 'getppid', calls[j]!.args)
        const errno = said.startsWith('ERRNO') ? Number(said.split(' ')[1]) : 0
        expect(result?.under, `${JSON.stringify(profile.syscalls)} ${calls[j]!.args}`).to.equal(errno)
      }
    }
  })
})
