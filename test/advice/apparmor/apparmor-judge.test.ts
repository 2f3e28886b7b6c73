import { expect } from 'chai'
import fc from 'fast-check'
import { appArmorJudge } from '../../../src/advice/apparmor/apparmor-judge.ts'
import { allowedIn, fileMachine } from '../../../src/advice/apparmor/file-decision.ts'
import { GlobMachine } from '../../../src/advice/apparmor/glob-machine.ts'
import { readProfile } from '../../../src/advice/apparmor/read-profile.ts'
import { expanded } from '../../../src/advice/apparmor/variables.ts'
import { run } from '../../../src/advice/machine.ts'
import type { Operation } from '../../../src/advice/operation.ts'
import { mountFlagBits } from '../../../src/api/linux-mount-flags.ts'
import { socketFamilies, socketTypeNumbers } from '../../../src/api/linux-sockets.ts'
import type { EnhanceProtect } from '../../../src/api/types.ts'
import { catalogue } from '../../../src/rules/catalogue.ts'
import { isImpossible } from '../../../src/rules/meaning.ts'
import { type LoadedProfile, load, needsParser } from '../../profile/apparmor/loaded-profile.ts'
import { compiled, defend, enhance } from '../../profile/apparmor/policies.ts'

const names = ['a', 'b', 'ab', 'sh', 'etc', 'proc', 'x.y', 'run']
const paths = fc
  .tuple(fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([segments, directory]) => `/${segments.join('/')}${directory ? '/' : ''}`)
const pieces = [
  'a',
  'b',
  'ab',
  '*',
  '**',
  '/',
  '/',
  '?',
  '{a,b}',
  '{,a/}',
  '{a*,/b}',
  '[ab]',
  '[^a]',
  '{,**/}',
  '\\142',
  '.y',
]
const globs = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => `/${parts.join('')}`)

const letters = ['r', 'w', 'a', 'k', 'm'] as const
const namesOf = (list: 'hardeningRules' | 'vulMitigationRules' | 'attack'): string[] => {
  const category = {
    hardeningRules: 'hardening',
    vulMitigationRules: 'vulnerability-mitigation',
    attack: 'attack-protection',
  }[list]
  return catalogue.filter((rule) => rule.category === category && !isImpossible(rule.appArmor)).map(({ name }) => name)
}

const protects: fc.Arbitrary<EnhanceProtect> = fc.record({
  privileged: fc.boolean(),
  hardeningRules: fc.subarray(namesOf('hardeningRules'), { maxLength: 4 }),
  vulMitigationRules: fc.subarray(namesOf('vulMitigationRules'), { maxLength: 1 }),
  attackProtectionRules: fc.subarray(namesOf('attack'), { maxLength: 3 }).map((rules) => [{ rules }]),
  appArmorRawRules: fc
    .array(fc.tuple(globs, fc.constantFrom('r', 'w', 'rw', 'a', 'm')), { maxLength: 3 })
    .map((rules) =>
      rules.length === 0 ? [] : [{ rules: rules.map(([glob, perms]) => `deny "${glob}" ${perms},`).join('\n') }],
    ),
})

/** Paths that rules of the catalogue name, in addition to random paths. */
const special = [
  ...[
    '/etc/passwd',
    '/etc/',
    '/etc/shadow-',
    '/proc/kcore',
    '/proc/1/mounts',
    '/proc/sys/kernel/core_pattern',
    '/proc/sysrq-trigger',
  ],
  ...[
    '/usr/bin/bash',
    '/bin/sh',
    '/root/.ssh/id',
    '/root/.ssh/',
    '/run/secrets/kubernetes.io/serviceaccount/token',
    '/dev/sda1',
  ],
  ...[
    '/sys/fs/cgroup/x/release_agent',
    '/sys/kernel/security/x',
    '/proc/1/root/x',
    '/var/run/',
    '/',
    '/usr/bin/curl',
    '/proc/a',
  ],
  ...[
    '/proc/sys/kernel/shmmax',
    '/proc/sys/net/x',
    '/sys/fs/x',
    '/sys/x/y',
    '/proc/12/oom_score_adj',
    '/home/u/x',
    '/root/x',
  ],
]

function sameFiles(text: string, loaded: LoadedProfile, tried: readonly string[]): void {
  const profile = readProfile(text)
  const machine = fileMachine(profile.rules, profile.name)
  for (const path of tried) {
    const { allow, deny } = allowedIn(machine, run(machine.machine, Buffer.from(path)), true)
    const ours = letters.filter((letter) => allow.includes(letter) && !deny.includes(letter)).join('')
    const theirs = letters.filter((letter) => loaded.file(path).allow.includes(letter)).join('')
    expect(ours, `${path} in ${text}`).to.equal(theirs)
    const runs = allow.includes('x') && !deny.includes('x')
    expect(runs, `${path} x`).to.equal(loaded.file(path).allow.includes('x'))
  }
}

describe('globs of AppArmor', () => {
  it('match what they do in the tables that the kernel loads', function () {
    needsParser(this)
    const texts = fc.sample(globs, { numRuns: 300, seed: 3 })
    const tried = [...fc.sample(paths, { numRuns: 300, seed: 4 }), '/', '/a', '/b']
    const loaded = load(...texts.map((glob, i) => `abi <abi/3.0>,\nprofile p${i} { "${glob}" r, }\n`))
    let matched = 0
    for (const [i, glob] of texts.entries()) {
      const machine = new GlobMachine(expanded(glob, `p${i}`)!)
      for (const path of tried) {
        const ours = machine.matching(path).length > 0
        if (ours) matched++
        expect(ours, `${glob} ${path}`).to.equal(loaded.get(`p${i}`)!.file(path).allow.includes('r'))
      }
    }
    expect(matched).to.be.greaterThan(1000)
  })
})

describe('the judge of AppArmor', () => {
  it('decides about files as the tables that the kernel loads', function () {
    needsParser(this)
    this.timeout(300_000)
    const policies = fc.sample(protects, { numRuns: 40, seed: 5 })
    const texts = policies.map((policy, i) => compiled(enhance(policy), { profileName: `p${i}` }))
    const loaded = load(...texts)
    const tried = [...fc.sample(paths, { numRuns: 60, seed: 6 }), ...special]
    for (const [i, text] of texts.entries()) sameFiles(text, loaded.get(`p${i}`)!, tried)
  })

  it('decides about sockets and mounts as the tables that the kernel loads', function () {
    needsParser(this)
    this.timeout(300_000)
    const policies = fc.sample(protects, { numRuns: 30, seed: 7 })
    const texts = policies.map((policy, i) => compiled(enhance(policy), { profileName: `p${i}` }))
    const loaded = load(...texts)
    const { bind, rec, move, remount, ro } = mountFlagBits
    const mounts: Extract<Operation, { kind: 'mount' }>[] = [
      { kind: 'mount', operation: 'new', flags: 0, source: 'proc', target: '/mnt/', fstype: 'proc' },
      { kind: 'mount', operation: 'new', flags: ro, source: '/dev/sda1', target: '/mnt/', fstype: 'ext4' },
      { kind: 'mount', operation: 'new', flags: 0, source: 'none', target: '/etc/', fstype: 'tmpfs' },
      { kind: 'mount', operation: 'new', flags: 0, source: 'o', target: '/a/', fstype: 'overlay' },
      { kind: 'mount', operation: 'bind', flags: bind, source: '/proc/', target: '/mnt/' },
      { kind: 'mount', operation: 'bind', flags: bind | rec, source: '/etc/', target: '/mnt/' },
      { kind: 'mount', operation: 'bind', flags: bind, source: '/', target: '/mnt/' },
      { kind: 'mount', operation: 'move', flags: move, source: '/a/', target: '/proc/' },
      { kind: 'mount', operation: 'remount', flags: remount, target: '/sys/fs/cgroup/' },
      { kind: 'mount', operation: 'remount', flags: remount | ro, target: '/proc/' },
      { kind: 'mount', operation: 'umount', flags: 0, target: '/proc/' },
    ]
    for (const [i, text] of texts.entries()) {
      const { judge } = appArmorJudge(text)
      const kernel = loaded.get(`p${i}`)!
      for (const operation of mounts) {
        const { target = '', source = '', fstype = '', flags } = operation
        const ok =
          operation.operation === 'umount'
            ? kernel.umount(target)
            : kernel.mount({ point: target, source, type: fstype, flags })
        expect(judge(operation).outcome === 'allowed', `${JSON.stringify(operation)} in ${text}`).to.equal(ok)
      }
      for (const domain of ['inet', 'inet6', 'alg', 'unix', 'packet', 'netlink'] as const)
        for (const type of ['stream', 'dgram', 'raw'] as const) {
          const ok = kernel.socket(socketFamilies.indexOf(domain), socketTypeNumbers[type])
          expect(judge({ kind: 'socket', domain, type }).outcome === 'allowed', `${domain} ${type}`).to.equal(ok)
        }
    }
  })

  const own = compiled(
    enhance({
      hardeningRules: ['disable-cap-net-raw'],
      attackProtectionRules: [{ rules: ['disable-curl'], targets: ['/usr/bin/python3'] }],
      auditViolations: true,
    }),
  )
  const rows: [what: string, operation: Operation, program: string | undefined, outcome: string][] = [
    ['a capability that a rule forbids', { kind: 'capability', name: 'net_raw' }, undefined, 'denied'],
    ['another one', { kind: 'capability', name: 'chown' }, undefined, 'allowed'],
    [
      'a rule of one program in another',
      { kind: 'file', path: '/usr/bin/curl', action: 'exec' },
      '/usr/bin/sh',
      'allowed',
    ],
    ['and in that program', { kind: 'file', path: '/usr/bin/curl', action: 'exec' }, '/usr/bin/python3', 'denied'],
    ['a signal to itself', { kind: 'signal', access: 'send', peer: 'varmor-demo-web' }, undefined, 'allowed'],
    [
      'a signal to the node',
      { kind: 'signal', access: 'send', peer: 'unconfined', signal: 'kill' },
      undefined,
      'unknown',
    ],
    ['tracing itself', { kind: 'ptrace', access: 'trace', peer: 'varmor-demo-web' }, undefined, 'allowed'],
    ['any mount', { kind: 'mount', operation: 'new', flags: 0, fstype: 'tmpfs' }, undefined, 'denied'],
    ['what it does not see', { kind: 'syscall', name: 'clone' }, undefined, 'allowed'],
  ]
  for (const [what, operation, program, outcome] of rows)
    it(`${what}: ${outcome}`, () => expect(appArmorJudge(own).judge(operation, program).outcome).to.equal(outcome))

  it('names the programs that have rules of their own', () =>
    expect(appArmorJudge(own).programs).to.deep.equal(['/usr/bin/python3', '/bin/python3']))

  it('refuses under a profile of its own what that does not allow, unless a file of the node may', () => {
    const of = (include: string) =>
      appArmorJudge(
        compiled(
          defend({
            appArmor: {
              profileType: 'Custom',
              customProfile: `profile varmor-demo-web { ${include} /etc/passwd r, owner /tmp/** rw, deny /etc/shadow r, }`,
            },
          }),
        ),
      ).judge
    const judge = of('')
    const file = (path: string, more: object = {}): Operation => ({ kind: 'file', path, action: 'read', ...more })
    expect(judge(file('/etc/passwd')).outcome).to.equal('allowed')
    expect(judge(file('/etc/group')).outcome).to.equal('denied')
    expect(judge(file('/tmp/x', { isOwn: true })).outcome).to.equal('allowed')
    expect(judge(file('/tmp/x', { isOwn: false })).outcome).to.equal('denied')
    expect(judge(file('/tmp/x')).outcome).to.equal('unknown')
    expect(judge(file('/tmp/**', { pattern: 'path', isOwn: true })).outcome).to.equal('allowed')
    expect(judge(file('/etc/*', { pattern: 'path' })).outcome).to.equal('denied')
    expect(judge(file('/tmp/*/', { pattern: 'path', isOwn: true })).outcome).to.equal('allowed')
    const including = of('include <abstractions/base>')
    expect(including(file('/etc/group')).outcome).to.equal('unknown')
    expect(including(file('/etc/shadow')).outcome).to.equal('denied')
  })
})
