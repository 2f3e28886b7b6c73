import { expect } from 'chai'
import fc from 'fast-check'
import { type Comparison, holds, readComparison } from '../../../src/profile/seccomp/comparison.ts'
import { entriesOf, isBuiltRight, RuleSet, type SyscallRule } from '../../../src/profile/seccomp/syscall-rule.ts'
import { callArguments, conditions } from './arbitrary-rules.ts'
import { outcomeOf } from './semantics.ts'

/** Rules for one call with one of three outcomes each. */
const rules: fc.Arbitrary<SyscallRule[]> = conditions.chain((all) =>
  fc.tuple(...all.map(() => fc.integer({ min: 1, max: 3 }))).map((errnos) =>
    all.flatMap((written, i) => {
      const when = written.map(readComparison)
      const possible = when.filter((one): one is Comparison => one !== 'never')
      if (possible.length < when.length) return []
      return [{ name: 'getppid', action: 'SCMP_ACT_ERRNO', errno: errnos[i] ?? 1, when: possible }]
    }),
  ),
)

function firstThatMatches(rules: readonly SyscallRule[], args: readonly bigint[]): string {
  const found = rules.find((one) => one.when.every((part) => holds(part, args[part.index] ?? 0n)))
  return found === undefined ? 'ALLOW' : `ERRNO ${found.errno}`
}

describe('rules for one call', () => {
  it('never contradict each other in the profile, and the first that matches decides', () => {
    fc.assert(
      fc.property(rules, fc.array(callArguments, { minLength: 5, maxLength: 20 }), (all, calls) => {
        const set = new RuleSet()
        const taken = all.filter((one) => ['added', 'covered'].includes(set.add(one)))
        expect(isBuiltRight(set.rules)).to.equal(true)
        const profile = { defaultAction: 'SCMP_ACT_ALLOW' as const, syscalls: entriesOf(set.rules) }
        for (const args of calls) expect(outcomeOf(profile, 'getppid', args)).to.equal(firstThatMatches(taken, args))
      }),
      { numRuns: 3000 },
    )
  })

  it('come once when they are given twice, and not at all when a rule without arguments says the same', () => {
    const set = new RuleSet()
    const equal5 = readComparison({ index: 0, value: 5, op: 'SCMP_CMP_EQ' }) as Comparison
    set.add({ name: 'bpf', action: 'SCMP_ACT_ERRNO', when: [equal5] })
    set.add({ name: 'bpf', action: 'SCMP_ACT_ERRNO', errno: 1, when: [equal5] })
    set.add({ name: 'splice', action: 'SCMP_ACT_ERRNO', when: [] })
    set.add({ name: 'splice', action: 'SCMP_ACT_ERRNO', when: [equal5] })
    expect(set.rules).to.have.length(2)
  })

  it('says when nothing is left of a rule, and when what is left has no words', () => {
    const set = new RuleSet()
    const at = (op: 'SCMP_CMP_GE' | 'SCMP_CMP_MASKED_EQ', value: number) =>
      readComparison({ index: 0, value, valueTwo: value, op }) as Comparison
    set.add({ name: 'splice', action: 'SCMP_ACT_LOG', when: [] })
    expect(set.add({ name: 'splice', action: 'SCMP_ACT_ERRNO', when: [at('SCMP_CMP_GE', 3)] })).to.equal('covered')
    set.add({ name: 'chmod', action: 'SCMP_ACT_LOG', when: [at('SCMP_CMP_GE', 3)] })
    const both = [at('SCMP_CMP_GE', 3), { ...at('SCMP_CMP_GE', 3), index: 1 }]
    expect(set.add({ name: 'chmod', action: 'SCMP_ACT_LOG', when: both })).to.equal('misbuilt')
    const bits = { name: 'chmod', action: 'SCMP_ACT_ERRNO', when: [at('SCMP_CMP_MASKED_EQ', 64)] } as const
    expect(set.add(bits)).to.equal('inexpressible')
  })

  it('cannot be made to fill the memory', () => {
    const set = new RuleSet()
    const mask = (index: number, value: number) =>
      readComparison({ index, value: 0xffff_ffff, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }) as Comparison
    for (let i = 0; i < 4; i++) {
      const when = [mask(0, i), mask(1, i), mask(2, i)]
      set.add({ name: 'bpf', action: 'SCMP_ACT_ERRNO', errno: i + 2, when })
    }
    expect(set.add({ name: 'bpf', action: 'SCMP_ACT_LOG', when: [] })).to.equal('inexpressible')
  })
})
