import { expect } from 'chai'
import fc from 'fast-check'
import { bpfJudge } from '../../src/advice/bpf-judge.ts'
import { machineOf } from '../../src/advice/bpf-machine.ts'
import { run } from '../../src/advice/machine.ts'
import { type FileAction, fileActions, type Operation } from '../../src/advice/operation.ts'
import type { BpfRawRules } from '../../src/api/types.ts'
import { walk } from '../../src/profile/bpf/table.ts'
import { matchesPath } from '../../src/profile/path-pattern.ts'
import { arbitraryPath, arbitraryPattern, pathsNear } from '../profile/arbitrary-patterns.ts'
import { compiledOf, enhanced, judgeOf, policyOf } from './policies.ts'

const words = ['r', 'w', 'x', 'a'] as const
type Word = (typeof words)[number]
/** The words that forbid an action, according to the documentation and not to the tables. */
const forbiddenBy: Partial<Record<FileAction, readonly Word[]>> = {
  read: ['r'],
  write: ['w'],
  append: ['w', 'a'],
  exec: ['x'],
  map: ['x'],
  create: ['w'],
  delete: ['w'],
  rename: ['r', 'w', 'x', 'a'],
  link: ['r', 'w', 'x', 'a'],
  chmod: ['w'],
  chown: ['w'],
  setattr: ['w'],
}

const rules = fc.array(
  fc.record({
    pattern: arbitraryPattern,
    permissions: fc.subarray([...words], { minLength: 1 }),
    qualifiers: fc.constantFrom<string[]>(['deny'], ['audit'], ['deny', 'audit']),
  }),
  { minLength: 1, maxLength: 6 },
)

const bpf = (bpfRawRules: BpfRawRules, more: object = {}) => enhanced({ privileged: true, bpfRawRules, ...more }, 'BPF')

describe('the judge of BPF', () => {
  it('decides about files as each pattern does that is looked at by itself', () => {
    fc.assert(
      fc.property(
        rules.chain((all) =>
          fc.tuple(
            fc.constant(all),
            fc.array(fc.oneof(arbitraryPath, ...all.map(({ pattern }) => pathsNear(pattern))), { maxLength: 12 }),
          ),
        ),
        ([all, paths]) => {
          const files = all.map(({ pattern, ...rule }) => ({ ...rule, pattern: pattern.text }))
          const judge = judgeOf(bpf({ files }, { protectAncestors: false }), 'BPF')
          for (const path of paths.filter((one) => Buffer.from(one.toString()).equals(one) && one.at(-1) !== 0x2f))
            for (const action of fileActions) {
              const matching = all.filter(({ pattern, permissions }) => {
                const means = permissions.some((word) => forbiddenBy[action]?.includes(word))
                return means && matchesPath(pattern, path)
              })
              const outcome = matching.some(({ qualifiers }) => qualifiers.includes('deny'))
                ? 'denied'
                : matching.length > 0
                  ? 'audited'
                  : 'allowed'
              const operation: Operation = { kind: 'file', path: path.toString(), action, type: 'file' }
              expect(judge(operation).outcome, JSON.stringify([files, operation])).to.equal(outcome)
            }
        },
      ),
      { numRuns: 150 },
    )
  })

  it('walks the tables that the kernel gets as it does', () => {
    fc.assert(
      fc.property(rules, fc.array(arbitraryPath, { maxLength: 10 }), (all, paths) => {
        const files = all.map(({ pattern, ...rule }) => ({ ...rule, pattern: pattern.text }))
        const { automaton } = compiledOf(bpf({ files })).enforcers.BPF!.profile.files
        const machine = machineOf(automaton)
        const table = {
          start: automaton!.start,
          cellCount: automaton!.cells,
          bytes: new Uint8Array(Buffer.from(automaton!.table, 'base64')),
        }
        for (const path of paths) expect(machine.marks(run(machine, path))).to.equal(walk(table, path))
      }),
      { numRuns: 100 },
    )
  })

  it('says of a pattern that one of its paths is refused exactly where one is, and names it', () => {
    fc.assert(
      fc.property(rules, arbitraryPattern, fc.array(arbitraryPath, { maxLength: 20 }), (all, asked, paths) => {
        const files = all.map(({ pattern, permissions }) => ({ permissions, pattern: pattern.text }))
        const judge = judgeOf(bpf({ files }, { protectAncestors: false }), 'BPF')
        const decision = judge({ kind: 'file', path: asked.text, pattern: 'path', action: 'read', type: 'file' })
        const refused = (path: Buffer): boolean =>
          all.some(({ pattern, permissions }) => permissions.includes('r') && matchesPath(pattern, path))
        if (decision.outcome === 'denied') {
          const example = Buffer.from(decision.example!)
          // An example with invalid UTF-8 cannot be printed unchanged.
          if (!decision.example!.includes('\ufffd')) {
            expect(matchesPath(asked, example), `${asked.text} ${decision.example}`).to.equal(true)
            expect(refused(example), decision.example).to.equal(true)
          }
        } else
          for (const path of paths.filter((one) => !/\/(\/|\.{1,2}(\/|$)|$)/.test(one.toString('latin1')))) {
            if (matchesPath(asked, path)) expect(refused(path), path.toString()).to.equal(false)
          }
      }),
      { numRuns: 200 },
    )
  })

  const ways = bpf({ files: [{ pattern: '/data/secret/**', permissions: ['r'] }] })
  const network = bpf({
    network: {
      sockets: [{ protocols: ['tcp'] }, { domains: ['packet'] }],
      egress: {
        toDestinations: [
          { cidr: '10.0.0.0/8', ports: [{ port: 443 }] },
          { ip: '2001:db8::1' },
          { qualifiers: ['audit'], ip: '192.0.2.1' },
        ],
      },
    },
  })
  const mounts = bpf(
    { mounts: [{ sourcePattern: '/dev/sd*', fstype: 'ext4', flags: ['*'] }] },
    { protectAncestors: false },
  )
  const ofFuse = bpf(
    { mounts: [{ sourcePattern: '**', fstype: 'fuse.sshfs', flags: ['*'] }] },
    { protectAncestors: false },
  )
  const base = enhanced({}, 'BPF')
  const file = (action: FileAction, path: string, type?: 'file' | 'directory' | 'symlink'): Operation => ({
    kind: 'file',
    action,
    path,
    ...(type !== undefined && { type }),
  })
  const rows: [what: string, policy: ReturnType<typeof bpf>, operation: Operation, outcome: string][] = [
    ['renaming the way', ways, file('rename', '/data/secret', 'directory'), 'denied'],
    ['renaming what may be the way', ways, file('rename', '/data/secret'), 'unknown'],
    ['renaming a file of that name', ways, file('rename', '/data/secret', 'file'), 'allowed'],
    ['a link in its place', ways, file('create', '/data', 'symlink'), 'denied'],
    ['the way with a slash', ways, file('rename', '/data/secret/'), 'denied'],
    ['a path that is too long', ways, file('read', `/${'x/'.repeat(2100)}y`), 'denied'],
    ['another root', ways, { kind: 'mount', operation: 'pivot-root', flags: 0 }, 'denied'],
    [
      'a mount over it',
      ways,
      { kind: 'mount', operation: 'new', flags: 0, fstype: 'tmpfs', target: '/data' },
      'denied',
    ],
    ['TCP by default', network, { kind: 'socket', domain: 'inet', type: 'stream', protocol: 0 }, 'denied'],
    ['Multipath TCP', network, { kind: 'socket', domain: 'inet6', type: 'stream', protocol: 262 }, 'denied'],
    [
      'a stream in the file system',
      network,
      { kind: 'socket', domain: 'unix', type: 'stream', protocol: 0 },
      'allowed',
    ],
    ['of unknown type', network, { kind: 'socket', domain: 'inet', protocol: 0 }, 'unknown'],
    ['a packet socket', network, { kind: 'socket', domain: 'packet' }, 'denied'],
    ['an address of the block', network, { kind: 'egress', address: '10.1.2.3', port: 443 }, 'denied'],
    ['another port of it', network, { kind: 'egress', address: '10.1.2.3', port: 80 }, 'allowed'],
    ['the same in an IPv6 socket', network, { kind: 'egress', address: '::ffff:10.1.2.3', port: 443 }, 'denied'],
    ['an address of IPv6', network, { kind: 'egress', address: '2001:db8::1', port: 1 }, 'denied'],
    ['one that is only reported', network, { kind: 'egress', address: '192.0.2.1', port: 1 }, 'audited'],
    [
      'a disk',
      mounts,
      { kind: 'mount', operation: 'new', flags: 0, fstype: 'ext4', source: '/dev/sda', target: '/m' },
      'denied',
    ],
    [
      'another type',
      mounts,
      { kind: 'mount', operation: 'new', flags: 0, fstype: 'xfs', source: '/dev/sda', target: '/m' },
      'allowed',
    ],
    [
      'a type by another name behind its dot',
      ofFuse,
      { kind: 'mount', operation: 'new', flags: 0, fstype: 'fuse.other', source: 'x', target: '/m' },
      'denied',
    ],
    [
      'a source that is not known',
      mounts,
      { kind: 'mount', operation: 'new', flags: 0, fstype: 'ext4', target: '/m' },
      'unknown',
    ],
    ['by default, tracing another container', base, { kind: 'ptrace', access: 'trace', isOutside: true }, 'denied'],
    ['by default, tracing its own', base, { kind: 'ptrace', access: 'trace', isOutside: false }, 'allowed'],
    ['by default, tracing whose is not known', base, { kind: 'ptrace', access: 'trace' }, 'unknown'],
    [
      'by default, a mount',
      base,
      { kind: 'mount', operation: 'bind', flags: 4096, source: '/a', target: '/b' },
      'denied',
    ],
    ['by default, a file of a process', base, file('write', '/proc/12/oom_score_adj'), 'allowed'],
    ['by default, a setting', base, file('write', '/proc/sys/net/ipv4/ip_forward'), 'denied'],
  ]
  for (const [what, policy, operation, outcome] of rows)
    it(`${what}: ${outcome}`, () => expect(judgeOf(policy, 'BPF')(operation).outcome).to.equal(outcome))

  it('knows no addresses of Services', () => {
    const policy = bpf({ network: { egress: { toServices: [{ namespace: 'a', name: 'b' }] } } })
    expect(judgeOf(policy, 'BPF')({ kind: 'egress', address: '10.0.0.1', port: 1 }).why).to.match(
      /only the cluster knows/,
    )
  })

  it('refuses nothing while a workload is modelled', () => {
    const { profile } = compiledOf(
      policyOf({ enforcer: 'BPF', mode: 'BehaviorModeling', modelingOptions: { duration: 1 } }),
    ).enforcers.BPF!
    expect(bpfJudge({ ...profile, blockDevices: 1 })(file('read', '/dev/sda')).outcome).to.equal('audited')
  })

  const listed = policyOf({
    enforcer: 'BPF',
    mode: 'DefenseInDepth',
    defenseInDepth: {
      bpf: {
        profileType: 'Custom',
        allow: {
          executions: ['/usr/bin/app'],
          files: [
            { path: '/data/**', permissions: ['read', 'write'] },
            { path: '/data/moved', permissions: ['rename'] },
          ],
          capabilities: ['chown'],
          network: {
            sockets: [{ domain: 'inet', type: 'stream' }],
            egresses: [{ ip: '10.0.0.1', ports: [443] }],
          },
          ptraces: [{ permissions: ['read'], external: false }],
          mounts: [{ path: '/mnt', type: 'tmpfs', flags: ['nosuid'] }],
        },
      },
    },
  })
  const mountOf = (target: string, flags: number, fstype = 'tmpfs'): Operation => ({
    kind: 'mount',
    operation: 'new',
    ...{ flags, fstype, source: 'none', target },
  })
  const lists: [what: string, operation: Operation, outcome: string][] = [
    ['a file that is listed', file('read', '/data/a/b'), 'allowed'],
    ['deleting it', file('delete', '/data/a/b'), 'allowed'],
    ['carrying it to another name', file('rename', '/data/a/b'), 'denied'],
    ['carrying what may be carried', file('rename', '/data/moved'), 'allowed'],
    ['another file', file('read', '/etc/passwd'), 'denied'],
    ['asking for its size', file('getattr', '/etc/passwd'), 'allowed'],
    ['a program that is listed', file('exec', '/usr/bin/app'), 'allowed'],
    ['another program', file('exec', '/bin/sh'), 'denied'],
    ['a capability that is listed', { kind: 'capability', name: 'chown' }, 'allowed'],
    ['another capability', { kind: 'capability', name: 'kill' }, 'denied'],
    ['a socket that is listed', { kind: 'socket', domain: 'inet', type: 'stream', protocol: 0 }, 'allowed'],
    ['another socket', { kind: 'socket', domain: 'packet', type: 'raw', protocol: 0 }, 'denied'],
    ['an address that is listed', { kind: 'egress', address: '10.0.0.1', port: 443 }, 'allowed'],
    ['another port', { kind: 'egress', address: '10.0.0.1', port: 80 }, 'denied'],
    ['reading a process of its own', { kind: 'ptrace', access: 'read', isOutside: false }, 'allowed'],
    ['reading another one', { kind: 'ptrace', access: 'read', isOutside: true }, 'denied'],
    ['a user namespace', { kind: 'userns' }, 'denied'],
    ['a mount that is listed', mountOf('/mnt', 2), 'allowed'],
    ['with more flags', mountOf('/mnt', 2 | 8), 'denied'],
    ['of another type', mountOf('/mnt', 2, 'proc'), 'denied'],
  ]
  for (const [what, operation, outcome] of lists)
    it(`where what is allowed is listed, ${what}: ${outcome}`, () =>
      expect(judgeOf(listed, 'BPF')(operation).outcome).to.equal(outcome))
})
