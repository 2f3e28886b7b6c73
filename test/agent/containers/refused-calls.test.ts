import { expect } from 'chai'
import fc from 'fast-check'
import { refusedCalls } from '../../../src/agent/containers/refused-calls.ts'
import { seccompActions } from '../../../src/api/schema/seccomp.ts'
import type { LinuxSeccomp } from '../../../src/api/types.ts'
import { hostileValues } from '../../fakes/hostile-json.ts'
import { outcomeOf } from '../../profile/seccomp/semantics.ts'

const flags = ['SECCOMP_FILTER_FLAG_LOG']
const rule = (action: string, names: unknown[], more: object = {}) => ({ names, action, ...more })
const args = [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }]
const [ALLOW, ERRNO] = ['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO']

describe('the calls that a container’s filter refuses and reports', () => {
  const rows: [what: string, filter: unknown, text: string][] = [
    ['none without a filter', undefined, '+,'],
    ['none of a filter that reports nothing', { defaultAction: ERRNO }, '+,'],
    [
      'those of its rules',
      { flags, defaultAction: ALLOW, syscalls: [rule(ERRNO, ['rmdir', 'mkdir'])] },
      '+,mkdir,rmdir,',
    ],
    [
      'those of some arguments, too',
      { flags, defaultAction: ALLOW, syscalls: [rule(ERRNO, ['clone'], { args })] },
      '+,clone,',
    ],
    ['all but what it allows', { flags, defaultAction: ERRNO, syscalls: [rule(ALLOW, ['read'])] }, '-,read,'],
    [
      'what it allows with some arguments only',
      { flags, defaultAction: ERRNO, syscalls: [rule(ALLOW, ['read'], { args })] },
      '-,',
    ],
    [
      'what it allows, and refuses with some arguments',
      {
        flags,
        defaultAction: ERRNO,
        syscalls: [rule(ALLOW, ['read', 'write']), rule('SCMP_ACT_TRAP', ['read'], { args })],
      },
      '-,write,',
    ],
    [
      'names alone that Linux has',
      { flags, defaultAction: ALLOW, syscalls: [rule(ERRNO, ['mkdir', 'x,y', 7, 'no_such'])] },
      '+,mkdir,',
    ],
    ['none of what is no filter', [flags], '+,'],
  ]
  for (const [what, filter, text] of rows) it(what, () => expect(refusedCalls(filter)).to.equal(text))

  it('are never too few: what a filter refuses with whatever arguments is among them', () => {
    const names = ['mkdir', 'rmdir', 'clone']
    const action = fc.constantFrom(...seccompActions)
    const comparison = fc.record({
      index: fc.constant(0),
      value: fc.integer({ min: 0, max: 3 }),
      op: fc.constantFrom('SCMP_CMP_EQ' as const, 'SCMP_CMP_NE' as const, 'SCMP_CMP_LT' as const),
    })
    const syscall = fc.record({
      names: fc.subarray(names, { minLength: 1 }),
      action,
      args: fc.array(comparison, { maxLength: 1 }),
    })
    const filter = fc.record({ defaultAction: action, syscalls: fc.array(syscall, { maxLength: 4 }) })
    fc.assert(
      fc.property(filter, (made) => {
        const text = refusedCalls({ ...made, flags })
        for (const name of names)
          for (const argument of [0n, 1n, 2n, 3n]) {
            const outcome = certainOutcome(made as LinuxSeccomp, name, argument)
            if (outcome === undefined || !/^(ERRNO|TRAP|KILL)/.test(outcome)) continue
            expect(text.includes(`,${name},`), `${name} ${outcome} ${text}`).to.equal(text.startsWith('+'))
          }
      }),
    )
  })

  it('are read from anything', () => {
    const valid = { flags, defaultAction: ERRNO, syscalls: [rule(ALLOW, ['read'], { args })] }
    const odd = { toString: {} }
    expect(refusedCalls({ ...valid, defaultAction: odd, syscalls: [{ names: ['read'], action: odd }] })).to.equal('+,')
    fc.assert(
      fc.property(hostileValues(valid), (value) => {
        expect(refusedCalls(value)).to.match(/^[+-],([a-z0-9_]+,)*$/)
      }),
    )
  })
})

/** The outcome of a call; undefined if two rules contradict each other, so that runtimes differ. */
function certainOutcome(profile: LinuxSeccomp, name: string, argument: bigint): string | undefined {
  try {
    return outcomeOf(profile, name, [argument])
  } catch {
    // The specification does not define which rule has priority.
    return undefined
  }
}
