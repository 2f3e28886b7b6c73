import { expect } from 'chai'
import fc from 'fast-check'
import { seccompJudge } from '../../src/advice/seccomp-judge.ts'
import type { LinuxSyscall } from '../../src/api/types.ts'
import { outcomeOf } from '../profile/seccomp/semantics.ts'
import { compiledOf, enhanced } from './policies.ts'

const operators = ['SCMP_CMP_EQ', 'SCMP_CMP_MASKED_EQ'] as const
const argument = fc.record({
  index: fc.constantFrom(0, 1),
  op: fc.constantFrom(...operators),
  value: fc.constantFrom(1, 3, 4),
  valueTwo: fc.constantFrom(0, 1, 4),
})
const rules: fc.Arbitrary<LinuxSyscall[]> = fc.array(
  fc.record({
    names: fc.subarray(['socket', 'ptrace', 'bpf'], { minLength: 1 }),
    action: fc.constantFrom('SCMP_ACT_ERRNO' as const, 'SCMP_ACT_LOG' as const, 'SCMP_ACT_KILL' as const),
    args: fc
      .array(argument, { maxLength: 2 })
      .filter((args) => new Set(args.map(({ index }) => index)).size === args.length),
  }),
  { minLength: 1, maxLength: 4 },
)
const byOutcome = (outcome: string): string =>
  /^(ERRNO|KILL|TRAP)/.test(outcome) ? 'denied' : outcome === 'LOG' ? 'audited' : 'allowed'

describe('the judge of Seccomp', () => {
  it('decides as the words of the runtime specification, with arguments and without', () => {
    let tried = 0
    fc.assert(
      fc.property(
        rules,
        fc.array(fc.tuple(fc.constantFrom(0n, 1n, 3n, 4n, 5n), fc.constantFrom(0n, 1n, 4n)), {
          minLength: 5,
          maxLength: 5,
        }),
        (syscallRawRules, all) => {
          let profile: ReturnType<typeof compiledOf>['enforcers']['Seccomp']
          try {
            profile = compiledOf(enhanced({ syscallRawRules }, 'Seccomp')).enforcers.Seccomp
          } catch {
            return // rules that contradict each other
          }
          const judge = seccompJudge(profile!.profile)
          for (const name of ['socket', 'ptrace', 'bpf', 'read']) {
            const outcomes = all.map((args) => byOutcome(outcomeOf(profile!.profile, name, args)))
            for (const [i, args] of all.entries())
              expect(judge({ kind: 'syscall', name, args }).outcome).to.equal(outcomes[i])
            const { outcome } = judge({ kind: 'syscall', name })
            if (outcome !== 'unknown') for (const each of outcomes) expect(each).to.equal(outcome)
            tried++
          }
        },
      ),
    )
    expect(tried).to.be.greaterThan(100)
  })

  it('says what a call returns, and where that depends on arguments', () => {
    const judge = seccompJudge(
      compiledOf(enhanced({ hardeningRules: ['disallow-create-user-ns'] })).enforcers.Seccomp!.profile,
    )
    expect(judge({ kind: 'syscall', name: 'clone3' })).to.deep.equal({ outcome: 'denied', errno: 38 })
    expect(judge({ kind: 'syscall', name: 'clone' }).outcome).to.equal('unknown')
    expect(judge({ kind: 'syscall', name: 'clone', args: [0x10000000n] }).outcome).to.equal('denied')
    expect(judge({ kind: 'syscall', name: 'clone', args: [0n] }).outcome).to.equal('allowed')
    expect(judge({ kind: 'syscall', name: 'read' }).outcome).to.equal('allowed')
  })
})
