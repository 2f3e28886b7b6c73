import { expect } from 'chai'
import fc from 'fast-check'
import { comparePolicies } from '../../src/advice/difference/compare.ts'
import type { Becomes, Compared } from '../../src/advice/difference/difference.ts'
import type { FileAction, Operation } from '../../src/advice/operation.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { EnhanceProtect, LinuxSyscall, VarmorPolicy } from '../../src/api/types.ts'
import { formatBlock } from '../../src/profile/bpf/ip-address.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import { arbitraryPath, arbitraryPattern } from '../profile/arbitrary-patterns.ts'
import { asking, compiledOf, enhanced, judgeOf, policyOf } from './policies.ts'

const compared = (before: VarmorPolicy, after: VarmorPolicy): Compared =>
  comparePolicies(compiledOf(before), compiledOf(after))
const privileged = (section: EnhanceProtect, enforcer: string): VarmorPolicy =>
  enhanced({ privileged: true, protectAncestors: false, ...section }, enforcer)

/** The change of an operation's outcome, according to the judges. */
function becomes(
  before: VarmorPolicy,
  after: VarmorPolicy,
  enforcer: KernelEnforcer,
  operation: Operation,
): Becomes | undefined {
  const [old, made] = [before, after].map((policy) => judgeOf(policy, enforcer)(operation).outcome)
  if (old === made) return undefined
  return made === 'denied' ? 'forbidden' : old === 'denied' ? 'allowed' : undefined
}

const words: Partial<Record<string, FileAction>> = { read: 'read', write: 'write', append: 'append', exec: 'exec' }
/** The accesses that a difference names: `files: read, write`. */
const actionsOf = (what: string): FileAction[] =>
  what
    .replace('files: ', '')
    .split(', ')
    .flatMap((word) => words[word] ?? [])

/** Checks the differences about files against the judges. */
function checkFiles(
  before: VarmorPolicy,
  after: VarmorPolicy,
  enforcer: KernelEnforcer,
  paths: readonly Buffer[],
): void {
  const { differences, incomplete } = compared(before, after)
  expect(incomplete).to.deep.equal([])
  const files = differences.filter(({ what }) => what.startsWith('files: '))
  for (const { becomes: change, what, examples } of files)
    for (const path of examples.filter((one) => !one.includes('\ufffd')))
      for (const action of actionsOf(what)) {
        const type = path.endsWith('/') && path !== '/' ? 'directory' : 'file'
        expect(becomes(before, after, enforcer, { kind: 'file', path, action, type }), `${what} ${path}`).to.equal(
          change,
        )
      }
  for (const path of paths)
    for (const action of ['read', 'write', 'exec'] as const) {
      const change = becomes(before, after, enforcer, { kind: 'file', path: path.toString(), action, type: 'file' })
      if (change === undefined) continue
      const isSaid = files.some((one) => one.becomes === change && actionsOf(one.what).includes(action))
      expect(isSaid, `${action} ${path} ${change}: ${JSON.stringify(files)}`).to.equal(true)
    }
}

const isPath = (path: Buffer): boolean =>
  !/\/(\/|\.{1,2}(\/|$)|$)/.test(path.toString('latin1')) && Buffer.from(path.toString()).equals(path)
const paths = fc.array(arbitraryPath.filter(isPath), { maxLength: 15 })

describe('the difference of two policies', () => {
  it('of files for BPF has an example of each change, and each example is one', function () {
    this.timeout(300_000)
    const files = fc.array(
      fc.record({
        pattern: arbitraryPattern.map(({ text }) => text),
        permissions: fc.subarray(['r', 'w', 'x'], { minLength: 1 }),
      }),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(files, files, paths, (before, after, tried) => {
        const of = (all: typeof before) => privileged({ bpfRawRules: { files: all } }, 'BPF')
        checkFiles(of(before), of(after), 'BPF', tried)
      }),
      { numRuns: 150 },
    )
  })

  it('of files for AppArmor has an example of each change, and each example is one', function () {
    this.timeout(300_000)
    const glob = fc
      .array(fc.constantFrom('a', 'b', 'ab', '*', '**', '/', '?', '{a,b}', '[ab]', ' '), { minLength: 1, maxLength: 5 })
      .map((parts) => `/${parts.join('').replaceAll('//', '/')}`)
    const rules = fc
      .array(fc.tuple(glob, fc.constantFrom('r', 'w', 'rw')), { minLength: 1, maxLength: 3 })
      .map((all) => [{ rules: all.map(([text, letters]) => `deny "${text}" ${letters},`).join('\n') }])
    fc.assert(
      fc.property(rules, rules, paths, (before, after, tried) => {
        const of = (appArmorRawRules: typeof before) => privileged({ appArmorRawRules }, 'AppArmor')
        checkFiles(of(before), of(after), 'AppArmor', tried)
      }),
      { numRuns: 80 },
    )
  })

  it('of addresses has an example of each change, and each example is one', function () {
    this.timeout(300_000)
    const v4 = fc.tuple(
      fc.constantFrom(0x0a000000n, 0x0a010000n, 0x0a010200n, 0xc0a80001n, 0n),
      fc.constantFrom(0, 8, 16, 24, 32),
    )
    const block = v4.map(([value, length]) =>
      formatBlock({ family: 4, value: (value >> BigInt(32 - length)) << BigInt(32 - length), length }),
    )
    const destination = fc.record({
      cidr: fc.oneof(block, fc.constantFrom('2001:db8::/32', '2001:db8::/64', '::/0')),
      ports: fc.array(fc.constantFrom({ port: 443 }, { port: 80, endPort: 90 }, { port: 53 }), { maxLength: 2 }),
      qualifiers: fc.constantFrom<string[]>(['deny'], ['audit']),
    })
    const rules = fc.array(destination, { maxLength: 4 })
    const addresses = [
      '10.0.0.1',
      '10.1.0.5',
      '10.1.2.3',
      '192.168.0.1',
      '8.8.8.8',
      '0.0.0.0',
      '2001:db8::1',
      '2001:db8:1::1',
      'fd00::1',
    ]
    fc.assert(
      fc.property(rules, rules, (old, made) => {
        const of = (toDestinations: typeof old) =>
          privileged({ bpfRawRules: { network: { egress: { toDestinations } } } }, 'BPF')
        const [before, after] = [of(old), of(made)]
        const { differences } = compared(before, after)
        const [one, other] = [judgeOf(before, 'BPF'), judgeOf(after, 'BPF')]
        for (const { becomes: change, what, examples } of differences.filter(
          ({ becomes: each }) => each === 'forbidden' || each === 'allowed',
        ))
          for (const example of examples) {
            const [, address = '', port = ''] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(example)!
            const protocol = what.replace('addresses over ', '') as 'tcp'
            const operation: Operation = { kind: 'egress', address, port: Number(port), protocol }
            expect(one(operation).outcome === 'denied', example).to.equal(change === 'allowed')
            expect(other(operation).outcome === 'denied', example).to.equal(change === 'forbidden')
          }
        for (const address of addresses)
          for (const port of [0, 53, 80, 85, 443]) {
            const operation: Operation = { kind: 'egress', address, port, protocol: 'tcp' }
            if (one(operation).outcome !== other(operation).outcome)
              expect(differences, `${address}:${port}`).not.to.deep.equal([])
          }
      }),
      { numRuns: 150 },
    )
  })

  it('of system calls has an example of each change', function () {
    this.timeout(300_000)
    const argument = fc.record({
      index: fc.constantFrom(0, 1),
      op: fc.constantFrom('SCMP_CMP_EQ' as const, 'SCMP_CMP_MASKED_EQ' as const),
      value: fc.constantFrom(1, 3, 4),
      valueTwo: fc.constantFrom(0, 1, 4),
    })
    const rules: fc.Arbitrary<LinuxSyscall[]> = fc.array(
      fc.record({
        names: fc.subarray(['socket', 'bpf'], { minLength: 1 }),
        action: fc.constantFrom('SCMP_ACT_ERRNO' as const, 'SCMP_ACT_LOG' as const),
        args: fc
          .array(argument, { maxLength: 2 })
          .filter((args) => new Set(args.map(({ index }) => index)).size === args.length),
      }),
      { maxLength: 3 },
    )
    fc.assert(
      fc.property(rules, rules, (old, made) => {
        const of = (syscallRawRules: LinuxSyscall[]) => enhanced({ syscallRawRules }, 'Seccomp')
        let found: Compared
        try {
          found = compared(of(old), of(made))
        } catch {
          return // rules that contradict each other
        }
        const [one, other] = [judgeOf(of(old), 'Seccomp'), judgeOf(of(made), 'Seccomp')]
        for (const name of ['socket', 'bpf'])
          for (const a of [0n, 1n, 3n, 4n, 5n, 8n])
            for (const b of [0n, 1n, 3n, 4n, 5n, 8n]) {
              const operation: Operation = { kind: 'syscall', name, args: [a, b] }
              if (one(operation).outcome !== other(operation).outcome)
                expect(found.differences.length + found.incomplete.length, `${name} ${a} ${b}`).to.be.greaterThan(0)
            }
        for (const { becomes: change, what, examples } of found.differences)
          for (const example of examples) {
            const args = example
              .replace(/^\w+\(|\)$/g, '')
              .split(', ')
              .map(BigInt)
            const operation: Operation = { kind: 'syscall', name: what.replace('system calls: ', ''), args }
            if (change === 'forbidden') expect(other(operation).outcome, example).to.equal('denied')
            if (change === 'allowed') expect(one(operation).outcome, example).to.equal('denied')
          }
      }),
      { numRuns: 100 },
    )
  })

  it('of each built-in rule is found by each enforcer that carries it, and there is none of a policy with itself', function () {
    this.timeout(300_000)
    const bare = enhanced({ privileged: true })
    for (const rule of catalogue) {
      const policy = enhanced({ ...asking(rule), privileged: true })
      expect(compared(policy, policy)).to.deep.equal({ differences: [], incomplete: [] })
      const { differences, incomplete } = compared(bare, policy)
      expect(incomplete, rule.name).to.deep.equal([])
      const isOfCluster = 'map' in rule.bpf && rule.bpf.every(({ kind }) => kind === 'service')
      expect(differences.length, rule.name).to.be.greaterThan(0)
      if (!isOfCluster)
        expect(
          differences.some(({ becomes: change }) => change === 'forbidden' || change === 'rules'),
          rule.name,
        ).to.equal(true)
      expect(
        differences.some(({ becomes: change }) => change === 'allowed'),
        rule.name,
      ).to.equal(false)
    }
  })

  it('is none where the same is said in other words', () => {
    const rows: [one: EnhanceProtect, other: EnhanceProtect][] = [
      [{ hardeningRules: ['disable-cap-all'] }, { hardeningRules: ['disable-cap-kill', 'disable_cap_all'] }],
      [
        { bpfRawRules: { files: [{ pattern: '/a/**', permissions: ['r'] }] } },
        {
          bpfRawRules: {
            files: [
              { pattern: '/a/**', permissions: ['read'] },
              { pattern: '/a/b', permissions: ['r'] },
            ],
          },
        },
      ],
      [{ appArmorRawRules: [{ rules: 'deny /a r, deny /b r,' }] }, { appArmorRawRules: [{ rules: 'deny /{a,b} r,' }] }],
      [
        { syscallRawRules: [{ names: ['bpf', 'kexec_load'], action: 'SCMP_ACT_ERRNO' }] },
        {
          syscallRawRules: ['kexec_load', 'bpf'].map((name) => ({ names: [name], action: 'SCMP_ACT_ERRNO' as const })),
        },
      ],
    ]
    for (const [one, other] of rows)
      expect(compared(enhanced(one), enhanced(other)).differences, JSON.stringify(one)).to.deep.equal([])
  })

  it('names the programs that have rules of their own, and what is theirs alone', () => {
    const of = (rules: string[]) =>
      enhanced(
        { attackProtectionRules: [{ rules: ['disable-wget'] }, { rules, targets: ['/usr/bin/python3'] }] },
        'AppArmor',
      )
    const { differences } = compared(of(['disable-chmod']), of(['disable-chmod', 'disable-write-etc']))
    expect(differences.map(({ programs, becomes: change, what }) => [programs, change, what])).to.deep.equal([
      [['/usr/bin/python3', '/bin/python3'], 'forbidden', 'files: write'],
      [['/usr/bin/python3', '/bin/python3'], 'forbidden', 'files: write, link'],
    ])
  })

  it('takes an enforcer that is not named for one that refuses nothing', () => {
    const { differences } = compared(policyOf({ enforcer: 'AppArmor' }), policyOf({ enforcer: 'AppArmorBPFSeccomp' }))
    expect(differences).to.deep.equal([])
    const more = compared(
      enhanced({ hardeningRules: ['disallow-umount'] }, 'AppArmor'),
      enhanced({ hardeningRules: ['disallow-umount'] }, 'AppArmorBPF'),
    )
    expect(
      more.differences.every(({ enforcer, becomes: change }) => enforcer === 'BPF' && change !== 'allowed'),
    ).to.equal(true)
  })

  it('ends, and says so, where rules have too many cases', function () {
    this.timeout(300_000)
    const many = Array.from({ length: 14 }, (_, i) => `deny /**/${'ab'.repeat(i % 3)}?a*${i}**b?/** r,`).join('\n')
    const { incomplete } = compared(
      enhanced({ privileged: true }, 'AppArmor'),
      enhanced({ privileged: true, appArmorRawRules: [{ rules: many }] }, 'AppArmor'),
    )
    for (const { why } of incomplete) expect(why).to.match(/too many cases/)
  })
})
