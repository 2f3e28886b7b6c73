import { expect } from 'chai'
import { directoriesOf } from '../../../src/profile/apparmor/raw-ancestor-paths.ts'
import { needsParser } from './loaded-profile.ts'
import { compiled, enhance, loaded } from './policies.ts'

const BIND = 4096
const MOVE = 8192

const denying = (rules: string, more: object = {}) => enhance({ appArmorRawRules: [{ rules }], ...more })

describe('the way to what raw AppArmor rules forbid', () => {
  const rows: [glob: string, directories: string[]][] = [
    ['/a', []],
    ['/a/b', ['/a/']],
    ['/a/b/**', ['/a/', '/a/b/']],
    ['/a/b/', ['/a/']],
    ['/home/*/.aws/**', ['/home/', '/home/*/', '/home/*/.aws/']],
    ['/{,var/}run/x', ['/var/', '/{,var/}run/']],
    ['/{a,b/{c,d/e}}/f', ['/b/', '/b/d/', '/{a,b/{c,d/e}}/']],
    ['/**/keys/*', ['/**/keys/']],
    ['/a[/b]c/d', ['/a[/b]c/']],
    ['@{PROC}/sys/**', ['@{PROC}/', '@{PROC}/sys/']],
  ]
  for (const [glob, directories] of rows)
    it(`${glob} lies in ${directories.join(' ') || 'none'}`, () => {
      expect(directoriesOf(glob)).to.deep.equal(directories)
    })

  it('keeps its names: no process can rename, remove or create them', function () {
    needsParser(this)
    const profile = loaded(denying('deny /data/vault/** r,\ndeny /{,var/}log/app/** w,\ndeny @{HOME}/.aws/** rw,'))
    for (const kept of ['/data/', '/data/vault/', '/var/', '/var/log/', '/log/app/', '/home/me/.aws/', '/root/.aws/'])
      expect(profile.file(kept).allow, kept).to.equal('xrkm')
    for (const free of ['/data/x', '/data/other/', '/home/me/', '/home/you/x', '/var/log/x'])
      expect(profile.file(free).allow, free).to.equal('xwrakm')
  })

  it('does not protect directories of any name, or of one name anywhere', function () {
    needsParser(this)
    const profile = loaded(denying('deny /srv/*/key r,\ndeny /**/keys/* r,'))
    expect(profile.file('/srv/').allow).to.equal('xrkm')
    expect(profile.file('/srv/new/').allow).to.equal('xwrakm')
    expect(profile.file('/a/keys/').allow).to.equal('xwrakm')
  })

  it('is not shown elsewhere, nor covered, where mounts are allowed', function () {
    needsParser(this)
    const profile = loaded(denying('deny /data/vault/** r,', { privileged: true }))
    for (const source of ['/', '/data/', '/data/vault/', '/data/vault/key'])
      for (const flags of [BIND, MOVE])
        expect(profile.mount({ point: '/mnt/', source, flags }), `${source} ${flags}`).to.equal(false)
    expect(profile.mount({ point: '/mnt/', source: '/data/other/', flags: BIND })).to.equal(true)
    expect(profile.mount({ point: '/data/', type: 'tmpfs' })).to.equal(false)
    expect(profile.mount({ point: '/mnt/', type: 'tmpfs' })).to.equal(true)
    expect(profile.mount({ point: '/mnt/', source: 'none', type: 'overlay' })).to.equal(false)
    expect(profile.pivotRoot('/new/', '/new/old/')).to.equal(false)
  })

  it('is left alone when the policy says so, and by rules that allow or forbid no use', function () {
    needsParser(this)
    const untouched = [
      denying('deny /data/vault/** r,', { protectAncestors: false }),
      denying('audit /data/vault/** r,'),
      denying('deny /data/vault/** kl,'),
    ]
    for (const policy of untouched) expect(loaded(policy).file('/data/vault/').allow).to.equal('xwrakm')
  })

  it('is reported if a rule that it belongs to is', () => {
    const text = compiled(denying('deny /a/b/* r,\naudit deny /a/* w,'))
    expect(text).to.contain('  deny "/a/b/" w,\n')
    expect(text)
      .to.match(/ {2}audit deny "\/a\/" w,\n/)
      .and.not.to.match(/ {2}deny "\/a\/" w,/)
  })

  it('does not blow up', () => {
    const deep = `deny ${'/d'.repeat(20_000)}/x r,`
    expect(compiled(denying(deep)).length).to.be.below(3 * deep.length)
  })
})
