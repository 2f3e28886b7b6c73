import { expect } from 'chai'
import fc from 'fast-check'
import type { DynamicResult } from '../../../src/api/types.ts'
import { generalise } from '../../../src/model/generalise/generalise.ts'
import { appArmorProfileOf } from '../../../src/model/profile/apparmor-profile.ts'
import { compileAppArmor } from '../../../src/profile/apparmor/compile-apparmor.ts'
import { type LoadedProfile, load, needsParser } from '../../profile/apparmor/loaded-profile.ts'
import { context, defend, PATH } from '../../profile/apparmor/policies.ts'

const NAME = 'varmor-demo-web'

function textOf(appArmor: DynamicResult['appArmor']): string {
  const made = appArmorProfileOf({ appArmor: appArmor ?? {} }, NAME)
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  return made.value
}

/** The AppArmor profile that the kernel loads for a DefenseInDepth policy with the model. */
function loadedOf(appArmor: DynamicResult['appArmor']): LoadedProfile {
  const policy = defend({ appArmor: { profileType: 'BehaviorModel' } })
  const compiled = compileAppArmor(policy, PATH, context({ model: { appArmor: textOf(appArmor) } }))
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
  return load(compiled.value).get(NAME)!
}

const sorted = (letters: string) => [...letters].sort().join('')

describe('an AppArmor profile of a model', () => {
  it('allows what was recorded, and nothing else', function () {
    needsParser(this)
    const profile = loadedOf({
      executions: ['/srv/server'],
      files: [
        { path: '/srv/data', permissions: ['r', 'w'] },
        { path: '/srv/dir/', permissions: ['r'] },
        { path: '/srv/lib.so', permissions: ['m', 'r'] },
      ],
    })
    expect(sorted(profile.file('/srv/server').allow)).to.equal('mrx')
    expect(sorted(profile.file('/srv/data').allow)).to.equal('arw')
    expect(profile.file('/srv/dir/').allow).to.equal('r')
    expect(sorted(profile.file('/srv/lib.so').allow)).to.equal('mr')
    for (const path of ['/srv/dat', '/srv/data2', '/srv/dir', '/srv/dir/x', '/srv', '/bin/sh', '/root/x']) {
      expect(profile.file(path).allow, path).to.equal('')
    }
  })

  it('writes each kind of fact as a rule of its kind', () => {
    const text = textOf({
      profiles: ['varmor-demo-web'],
      files: [{ path: '/a', owner: true, permissions: ['a', 'w'] }],
      capabilities: ['net_bind_service'],
      networks: {
        sockets: [
          { domain: 'inet', type: 'stream', protocol: '6' },
          { domain: 'AF_UNIX', type: 'SOCK_DGRAM' },
        ],
      },
      ptraces: [{ peer: 'varmor-demo-web//null-/bin/ps', permissions: ['read'] }],
      signals: [{ peer: 'other', permissions: ['send'], signals: ['term', 'rtmin+1'] }],
    })
    const lines = [
      'owner "/a" w,',
      'capability net_bind_service,',
      'network inet stream,',
      'network unix dgram,',
      'ptrace (read) peer=@{profile_name},',
      'signal (send) set=(rtmin+1,term) peer="other",',
    ]
    for (const line of lines) expect(text).to.include(`\n  ${line}\n`)
  })

  it('allows capabilities that BPF alone has seen, as AppArmor does not write each of them', () => {
    const bpf = { capabilities: ['setgid', 'sys_admin', 'unknown'] }
    const made = appArmorProfileOf({ appArmor: { capabilities: ['setuid'] }, bpf }, NAME)
    if (!made.ok) throw new Error(JSON.stringify(made.errors))
    expect(made.value.match(/capability \w+,/g)).to.deep.equal(['capability setgid,', 'capability setuid,'])
    expect(made.skipped).to.deep.equal([])
  })

  it('names what no rule can be made of', () => {
    const made = appArmorProfileOf(
      {
        appArmor: {
          files: [
            { path: 'relative', permissions: ['r'] },
            { path: '/a', permissions: [] },
            { path: '/x/[', oldPath: '/x/y', permissions: ['?'] },
          ],
          executions: ['/a/../b'],
          capabilities: ['net_raw, capability sys_admin'],
          networks: { sockets: [{ domain: 'inet, file' }] },
          ptraces: [{ peer: 'x" , file,', permissions: ['read'] }],
          signals: [{ peer: 'x', permissions: ['send'], signals: ['term) peer=unconfined, file'] }],
        },
      },
      NAME,
    )
    if (!made.ok) throw new Error('refused')
    expect(made.skipped).to.have.length(8)
    const rules = made.value.split('\n').filter((line) => !line.trimStart().startsWith('#'))
    expect(rules.join('\n')).to.not.match(/\bfile\b|sys_admin/)
    expect(made.value).to.include('# left out: /a/../b: is not the path of a program\n')
  })

  it('has patterns as globs of their files, without the names that built-in rules protect', function () {
    needsParser(this)
    const files = [1, 2, 3, 4].map((i) => ({ path: `/data/${i}/20240501`, permissions: ['r', 'w'] }))
    const { result } = generalise({ appArmor: { files } })
    const profile = loadedOf(result.appArmor)
    expect(sorted(profile.file('/data/77/20990101').allow)).to.equal('arw')
    for (const path of ['/data/77/', '/data/7/7/20990101', '/data/.ssh/20240501', '/data/7/x']) {
      expect(profile.file(path).allow, path).to.equal(path === '/data/7/x' ? 'wra' : '')
    }
    expect(profile.file('/data/7/bash').allow).to.not.include('r')
    expect(profile.file('/data/7/docker.sock').allow).to.equal('')
  })

  it('allows a protected name that was recorded by itself', function () {
    needsParser(this)
    const profile = loadedOf({
      files: [
        { path: '/data/*', oldPath: '/data/20240501', permissions: ['r'] },
        { path: '/data/bash', permissions: ['r'] },
      ],
    })
    expect(profile.file('/data/bash').allow).to.equal('r')
    expect(profile.file('/data/dash').allow).to.equal('')
  })

  it('allows a protected file of each process that was recorded of some', function () {
    needsParser(this)
    const files = ['/proc/12/mountinfo', '/proc/12/x-20240501'].map((path) => ({ path, permissions: ['r'] }))
    const profile = loadedOf(generalise({ appArmor: { files } }).result.appArmor)
    expect(profile.file('/proc/4711/mountinfo').allow).to.equal('r')
    expect(profile.file('/proc/4711/mounts').allow).to.equal('')
  })

  it('holds no name that could leave its place: exactly these names are allowed', function () {
    needsParser(this)
    const character = fc.constantFrom(
      ...[
        '\n',
        '"',
        '\\',
        '{',
        '}',
        ',',
        '*',
        '**',
        '?',
        '[',
        ']',
        '^',
        '@',
        '@{HOME}',
        '#',
        ' ',
        "'",
        '$',
        '\t',
        'é',
        '\u2028',
      ],
      ...[
        'a',
        'b',
        '.',
        '-',
        '#include <x>',
        ' r,\n}\nprofile evil {',
        '\\042',
        '\u0001',
        '\u007f',
        '…',
        '(',
        ')',
        '->',
        '^a',
      ],
    )
    const name = fc.array(character, { minLength: 1, maxLength: 5 }).map((parts) => `/zz/${parts.join('')}`)
    const isPlain = (path: string) => path !== '/zz/.' && path !== '/zz/..' && !path.endsWith('/')
    const names = fc.uniqueArray(name.filter(isPlain), { minLength: 60, maxLength: 60 })
    fc.assert(
      fc.property(names, (all) => {
        const recorded = all.slice(0, 30)
        const profile = loadedOf({
          files: recorded.slice(0, 20).map((path) => ({ path, permissions: ['r'] })),
          executions: recorded.slice(20),
        })
        for (const [i, path] of all.entries()) {
          const expected = i < 20 ? 'r' : i < 30 ? 'mrx' : ''
          expect(sorted(profile.file(path).allow), JSON.stringify(path)).to.equal(expected)
        }
      }),
      { numRuns: 12 },
    )
  })

  it('is refused with what to do when there is nothing, or too much', () => {
    expect(appArmorProfileOf({}, NAME)).to.have.nested.property('errors[0].code', 'REQUIRED')
    const files = Array.from({ length: 20_000 }, (_, i) => ({ path: `/${'x'.repeat(60)}${i}`, permissions: ['r'] }))
    const made = appArmorProfileOf({ appArmor: { files } }, NAME)
    expect(made).to.have.nested.property('errors[0].code', 'TOO_LARGE')
    expect(JSON.stringify(made)).to.include('patterns')
  })
})
