import { expect } from 'chai'
import fc from 'fast-check'
import type { BpfContent } from '../../../src/api/types.ts'
import type { BpfProfile } from '../../../src/profile/bpf/bpf-profile.ts'
import { emptyProfile, encodeProfile } from '../../../src/profile/bpf/encode.ts'
import { UnfitProfile } from '../../../src/profile/bpf/map-write.ts'
import { readBpfProfile } from '../../../src/profile/bpf/read-profile.ts'
import { privileged, profileOf } from './compiled.ts'
import { countedTables } from './counted-tables.ts'

const rich = privileged({
  auditViolations: true,
  hardeningRules: ['disable-cap-net-raw', 'disallow-create-user-ns', 'disallow-load-all-bpf-prog'],
  bpfRawRules: {
    files: [{ pattern: '/deny/**', permissions: ['read', 'write'] }],
    ptrace: { strictMode: true, permissions: ['trace'] },
    mounts: [{ sourcePattern: '/free/m', fstype: 'proc', flags: ['ro'] }],
    network: {
      sockets: [{ protocols: ['icmp'] }],
      egress: {
        toDestinations: [{ cidr: '10.1.0.0/16', ports: [{ port: 1, endPort: 2 }] }, { ip: 'pod-self' }],
        toPods: [{ namespace: 'demo', podSelector: { matchLabels: { app: 'web' } } }],
        toServices: [{ namespace: 'demo', name: 'web' }],
      },
    },
  },
})

/** A copy of the profile with another value at a path. */
function changed(path: string, change: (value: never) => unknown, profile: BpfProfile = rich): string {
  const copy: unknown = structuredClone(profile)
  const steps = path.split('.')
  const last = steps.pop()!
  const at = steps.reduce((value, step) => (value as Record<string, unknown>)[step], copy) as Record<string, unknown>
  at[last] = change(at[last] as never)
  return JSON.stringify(copy)
}

describe('the JSON of a BPF profile', () => {
  for (const [what, profile] of Object.entries({
    'a policy with rules of all kinds': rich,
    'a policy that has the rules of a runtime': profileOf({ mode: 'RuntimeDefault' }),
    'a policy that allows all': profileOf({ mode: 'AlwaysAllow' }),
    'a recording': profileOf({ mode: 'BehaviorModeling' }),
    'one that is gone': emptyProfile,
  }))
    it(`is read as it was compiled, of ${what}`, () => {
      expect(readBpfProfile(JSON.stringify(profile))).to.deep.equal(profile)
    })

  for (const [what, content] of Object.entries({
    'with rules': { files: [{ permissions: 1, pattern: { flags: 1, prefix: '/a' } }], networks: [{ flags: 1 }] },
    'without rules about files': { capabilities: { mode: 1, capabilities: 8192 } },
    'without any': {},
  } satisfies Record<string, BpfContent>))
    it(`is refused as that of an older manager, ${what}`, () => {
      expect(readBpfProfile(JSON.stringify(content))).to.match(/manager is older .* update the manager/)
    })

  for (const [what, json, reason] of [
    ['that is none', '{"mode":', /not JSON/],
    ['that is a list', '[]', /cannot read the BPF rules/],
    ['that is a number', '1', /cannot read the BPF rules/],
    ['without a mode', changed('mode', () => undefined), /\/mode/],
    ['of another mode', changed('mode', () => 'learn'), /\/mode/],
    ['with a field of a newer version', changed('newer', () => 1), /\/newer/],
    ['with a newer field of a rule', changed('sockets.0.newer', () => 1), /\/sockets\/0\/newer/],
    ['with a mask of 33 bits', changed('sockets.0.typeMask', () => 2 ** 32), /\/sockets\/0\/typeMask/],
    ['with half a mask', changed('capabilities.denyMask', () => [1]), /\/capabilities\/denyMask/],
    ['with an operation that is none', changed('mounts.rules.0.operations', () => ['swap']), /\/mounts\/rules\/0/],
    ['with a negative number', changed('mounts.sources.always', () => [-1]), /\/mounts\/sources\/always\/0/],
    ['with a rule that is not there', changed('mounts.sources.always', () => [1]), /sources of mounts.*missing rule/],
    ['with one in a set', changed('mounts.targets.sets', () => [[9]]), /targets of mounts.*missing rule/],
    ['with a set that is not there', changed('mounts.sources.sets', () => [[]]), /sources of mounts.*missing set/],
    ['with ports that are not there', changed('egress.table.v4.0.1', () => 99), /the prefix .* no set of ports/],
    ['with a shorter table', changed('files.automaton.table', (text: string) => text.slice(8)), /automaton of files/],
    ['with more cells', changed('files.automaton.cells', () => 1e6), /automaton of files/],
    ['that starts elsewhere', changed('files.automaton.start', () => 1e6), /automaton of files/],
  ] as const)
    it(`is refused with a reason and a remedy ${what}`, () => {
      expect(readBpfProfile(json))
        .to.match(reason)
        .and.to.match(/same version/)
    })

  it('never makes more of what is read than bytes or a refusal', () => {
    const paths = Object.keys(rich).flatMap((name) => {
      const value = rich[name as keyof BpfProfile]
      return typeof value === 'object' && !Array.isArray(value)
        ? Object.keys(value).map((key) => `${name}.${key}`)
        : name
    })
    const value = fc.oneof(fc.jsonValue(), fc.integer(), fc.array(fc.array(fc.nat(2000))), fc.constant(undefined))
    fc.assert(
      fc.property(fc.constantFrom(...paths), value, (path, given) => {
        const read = readBpfProfile(changed(path, () => given))
        if (typeof read === 'string') return
        try {
          encodeProfile(read, { slot: 1, id: 1, placeTable: countedTables() })
        } catch (error) {
          expect(error).to.be.instanceOf(UnfitProfile)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
