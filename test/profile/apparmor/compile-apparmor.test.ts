import { expect } from 'chai'
import type { Policy } from '../../../src/api/types.ts'
import { compileAppArmor } from '../../../src/profile/apparmor/compile-apparmor.ts'
import { needsParser } from './loaded-profile.ts'
import { compiled, context, enhance, errorsOf, loaded, newAppArmor, PATH, skippedOf } from './policies.ts'

const BIND = 4096
const REC = 16384
const MOVE = 8192
const REMOUNT = 32

function policy(mode: Policy['mode']): Policy {
  return { enforcer: 'AppArmor', mode }
}

describe('compileAppArmor', () => {
  describe('RuntimeDefault', () => {
    // The access that containerd's default profile allows (contrib/apparmor/template.go).
    const rows: [path: string, allowed: string][] = [
      ['/etc/passwd', 'xwrakm'],
      ['/proc/1/comm', 'xwrakm'],
      ['/proc/4711/oom_score_adj', 'xwrakm'],
      ['/proc/sys/kernel/shmmax', 'xwrakm'],
      // containerd's rule excludes shm* letter by letter, so it also excludes names with one of these letters there.
      ...['sem', 'sysrq', 'sched_rt_runtime_us', 'threads-max', 'domainname', 'yama/ptrace_scope'].map(
        (name): [string, string] => [`/proc/sys/kernel/${name}`, 'xwrakm'],
      ),
      ...['hostname', 'modprobe', 'msgmax', 'ns_last_pid', 'pid_max', 'random/boot_id'].map(
        (name): [string, string] => [`/proc/sys/kernel/${name}`, 'xrkm'],
      ),
      ['/proc/bus/pci/00/00.0', 'xwrakm'],
      ['/proc/fs/nfsd/versions', 'xrkm'],
      ['/proc/uptime', 'xrkm'],
      ['/proc/irq/1/smp_affinity', 'xrkm'],
      ['/proc/sys/vm/overcommit_memory', 'xrkm'],
      ['/proc/sys/kernel/core_pattern', 'xrkm'],
      ['/proc/sysrq-trigger', 'm'],
      ['/proc/kcore', 'm'],
      ['/sys/fs/cgroup/x/cgroup.procs', 'xwrakm'],
      ['/sys/class/net/eth0/mtu', 'rm'],
      ['/sys/firmware/acpi/tables/DSDT', 'm'],
      ['/sys/kernel/security/apparmor/profiles', 'm'],
    ]
    for (const [path, allowed] of rows) {
      it(`allows ${allowed} on ${path}`, function () {
        needsParser(this)
        expect(loaded(policy('RuntimeDefault')).file(path).allow).to.equal(allowed)
      })
    }

    it('refuses mounting and a new root, allows unmounting and tracing within', function () {
      needsParser(this)
      const profile = loaded(policy('RuntimeDefault'))
      expect(profile.mount({ point: '/mnt/', type: 'tmpfs' })).to.equal(false)
      expect(profile.mount({ point: '/mnt/', source: '/etc/', flags: BIND })).to.equal(false)
      expect(profile.pivotRoot('/new/', '/new/old/')).to.equal(false)
      expect(profile.umount('/mnt/')).to.equal(true)
      expect(profile.ptrace('varmor-demo-web')).to.be.greaterThan(profile.ptrace('unconfined'))
    })
  })

  it('AlwaysAllow refuses nothing', function () {
    needsParser(this)
    const profile = loaded(policy('AlwaysAllow'))
    for (const path of ['/', '/etc/shadow', '/proc/sysrq-trigger', '/sys/kernel/security/x']) {
      expect(profile.file(path).allow, path).to.equal('xwrakm')
    }
    expect(profile.mount({ point: '/mnt/', source: '/dev/sda', type: 'ext4' })).to.equal(true)
    expect(profile.pivotRoot('/new/', '/new/old/')).to.equal(true)
  })

  it('BehaviorModeling reports everything, and nothing once it is complete', () => {
    expect(compiled(policy('BehaviorModeling'))).to.match(/flags=\(.*complain\) \{\n\}\n$/)
    const done = compiled(policy('BehaviorModeling'), { modelingComplete: true })
    expect(done).to.include('file,').and.not.include('complain')
  })

  it('gives equal bytes for equal input', () => {
    const rules = enhance({ hardeningRules: ['disallow-mount-procfs'], privileged: true })
    expect(compiled(rules)).to.equal(compiled(structuredClone(rules)))
  })

  it('needs the section of its mode', () => {
    expect(errorsOf(policy('EnhanceProtect'))).to.deep.include({
      code: 'REQUIRED',
      path: 'spec.policy.enhanceProtect',
      problem: 'the mode EnhanceProtect needs this section',
    })
    expect(errorsOf(policy('DefenseInDepth'))[0]?.code).to.equal('REQUIRED')
  })

  it('takes no name that could be more than a name', () => {
    const name = 'a flags=(complain) { file, } profile b'
    expect(() => compileAppArmor(policy('AlwaysAllow'), PATH, context({ profileName: name }))).to.throw(
      'bad profile name',
    )
  })

  describe('EnhanceProtect', () => {
    it('says before each group of rules which rule it is and why', () => {
      const text = compiled(enhance({ hardeningRules: ['disallow_insmod'] }))
      expect(text).to.match(/ {2}# disallow-insmod: .+\n(?: {2}#.*\n)+ {2}deny capability sys_module,\n/)
    })

    it('protects a path, files below it, and the way there', function () {
      needsParser(this)
      const profile = loaded(enhance({ attackProtectionRules: [{ rules: ['disable-write-etc'] }], privileged: true }))
      expect(profile.file('/etc/passwd').allow).to.equal('xrkm')
      expect(profile.file('/etc/new/').allow).to.equal('xrkm')
      expect(profile.file('/etcetera').allow).to.equal('xwrakm')
      expect(profile.file('/etc/').allow, 'renaming /etc').not.to.include('w')
      for (const flags of [BIND, BIND | REC, MOVE]) {
        for (const source of ['/etc/', '/', '/etc/ssl/', '/etc/passwd']) {
          expect(profile.mount({ point: '/mnt/', source, flags }), `${source} ${flags}`).to.equal(false)
        }
        expect(profile.mount({ point: '/mnt/', source: '/home/', flags })).to.equal(true)
        expect(profile.mount({ point: '/etc/', source: '/home/', flags })).to.equal(false)
      }
      expect(profile.mount({ point: '/etc/ssl/', type: 'tmpfs' })).to.equal(false)
      expect(profile.mount({ point: '/mnt/', type: 'tmpfs' })).to.equal(true)
      expect(profile.mount({ point: '/mnt/', source: 'overlay', type: 'overlay' }), 'of /etc').to.equal(false)
      expect(profile.pivotRoot('/new/', '/new/old/')).to.equal(false)
    })

    it('leaves the way there alone when the policy says so', function () {
      needsParser(this)
      const rules = { attackProtectionRules: [{ rules: ['disable-write-etc'] }], privileged: true }
      const profile = loaded(enhance({ ...rules, protectAncestors: false }))
      expect(profile.file('/etc/passwd').allow).to.equal('xrkm')
      expect(profile.file('/etc/').allow).to.include('w')
      expect(profile.mount({ point: '/mnt/', source: '/etc/', flags: BIND })).to.equal(true)
    })

    it('gives no hard link more than its file has', function () {
      needsParser(this)
      const profile = loaded(
        enhance({
          attackProtectionRules: [{ rules: ['disable-access-shadow', 'disable-write-etc', 'disable-shell'] }],
        }),
      )
      for (const target of ['/etc/shadow', '/etc/hosts', '/bin/sh', '/usr/bin/bash']) {
        expect(profile.link('/tmp/x', target), target).to.equal(false)
      }
      expect(profile.link('/etc/x', '/tmp/y'), 'a new name below /etc').to.equal(false)
      expect(profile.link('/tmp/x', '/tmp/y')).to.equal(true)
    })

    it('keeps ld.so from running what must not run', function () {
      needsParser(this)
      const profile = loaded(enhance({ attackProtectionRules: [{ rules: ['disable-shell'] }] }))
      expect(profile.file('/usr/bin/sh').allow).not.to.match(/[rxm]/)
      expect(profile.file('/sh').allow).not.to.match(/[rxm]/)
      expect(profile.file('/usr/bin/shred').allow).to.equal('xwrakm')
    })

    const verdicts: [
      name: string,
      flags: { auditViolations?: boolean; allowViolations?: boolean },
      allow: string,
      audit: string,
      quiet: string,
    ][] = [
      ['refuses silently', {}, 'xkm', '', 'wra'],
      ['refuses and reports', { auditViolations: true }, 'xkm', '', ''],
      ['lets pass and reports', { auditViolations: true, allowViolations: true }, 'xwrakm', 'wra', ''],
      ['lets pass silently', { allowViolations: true }, 'xwrakm', '', ''],
    ]
    for (const [name, flags, allow, audit, quiet] of verdicts) {
      it(name, function () {
        needsParser(this)
        const profile = loaded(enhance({ attackProtectionRules: [{ rules: ['disable-access-shadow'] }], ...flags }))
        expect(profile.file('/etc/shadow')).to.deep.equal({ allow, audit, quiet })
        expect(profile.file('/etc/shadow2')).to.deep.equal({ allow: 'xwrakm', audit: '', quiet: '' })
      })
    }

    it('says in its head what happens with violations', () => {
      const rules = { attackProtectionRules: [{ rules: ['disable-access-shadow'] }] }
      const heads = verdicts.map(
        ([, flags]) => /Violations are .*$/m.exec(compiled(enhance({ ...rules, ...flags })))?.[0],
      )
      expect(heads).to.deep.equal([
        'Violations are refused.',
        'Violations are refused and reported.',
        'Violations are allowed and reported.',
        'Violations are allowed.',
      ])
    })

    for (const auditViolations of [false, true]) {
      it(`keeps refusing what raw rules deny when violations are let through, audit ${auditViolations}`, function () {
        needsParser(this)
        const flags = { auditViolations, allowViolations: true }
        const targeted = { rules: 'deny /b r,', targets: ['/opt/t'] }
        for (const raw of [{ rules: 'deny /a r,' }, { rules: 'audit deny /a r,' }, targeted]) {
          const policy = enhance({ appArmorRawRules: [raw], ...flags })
          expect(compiled(policy)).not.to.include('complain')
          expect(skippedOf(policy)).to.deep.equal([
            {
              enforcer: 'AppArmor',
              path: 'spec.policy.enhanceProtect.allowViolations',
              rule: 'allowViolations',
              reason: 'deny rules in raw rules stay in force, so calls that no rule allows are refused too',
            },
          ])
        }
        expect(
          loaded(enhance({ appArmorRawRules: [{ rules: 'deny /a r,' }], ...flags })).file('/a').allow,
        ).not.to.include('r')
        const allowing = enhance({ appArmorRawRules: [{ rules: 'audit /a r,\npriority=1 deny /b r,' }], ...flags })
        expect(compiled(allowing)).to.include(',complain)')
        expect(skippedOf(allowing).map(({ rule }) => rule)).to.deep.equal(['priority=1 deny "/b" r'])
        expect(compiled(enhance({ appArmorRawRules: [{ rules: 'deny /a r,' }] }))).not.to.include('complain')
      })
    }

    const programRules = ['curl', 'wget', 'shell', 'su-sudo', 'chmod', 'busybox']
    for (const [name, program] of programRules.map((each) => [each, { shell: 'sh', 'su-sudo': 'su' }[each] ?? each])) {
      it(`disable-${name} stops the program ${program} and no directory of that name`, function () {
        needsParser(this)
        const profile = loaded(enhance({ attackProtectionRules: [{ rules: [`disable-${name}`] }] }))
        expect(profile.file(`/opt/${program}`).allow).to.equal('wak')
        expect(profile.file(`/app/vendor/${program}/`).allow).to.equal('xwrakm')
        expect(profile.file(`/app/vendor/${program}/index.js`).allow).to.equal('xwrakm')
      })
    }

    it('protects directories of a name anywhere only where a rule names them', function () {
      needsParser(this)
      const devices = loaded(enhance({ vulMitigationRules: ['cgroups-lxcfs-escape-mitigation'] }))
      expect(devices.file('/srv/devices/').allow).to.equal('xwrakm')
      expect(devices.file('/cg/devices/a/tasks').allow).to.equal('xrkm')
      const skills = loaded(enhance({ attackProtectionRules: [{ rules: ['disable-write-skills'] }] }))
      expect([skills.file('/app/skills/').allow, skills.file('/app/skills/x').allow]).to.deep.equal(['xrkm', 'xrkm'])
      const ssh = loaded(enhance({ attackProtectionRules: [{ rules: ['disable-access-ssh-dir'] }] }))
      expect(ssh.file('/root/.ssh/').allow).to.equal('xkm')
    })

    it('refuses TCP of both families, and no UDP with it', function () {
      needsParser(this)
      const profile = loaded(enhance({ attackProtectionRules: [{ rules: ['disable-tcp'] }] }))
      expect([profile.socket(2, 1), profile.socket(10, 1)]).to.deep.equal([false, false])
      expect([profile.socket(2, 2), profile.socket(10, 2), profile.socket(1, 1)]).to.deep.equal([true, true, true])
    })

    it('is written for the ABI that a rule of the policy needs', () => {
      const abiOf = (rules: string, more = {}) =>
        /abi\/\d\.\d/.exec(compiled(enhance({ appArmorRawRules: [{ rules }] }), more))?.[0]
      const newer = { appArmor: newAppArmor }
      for (const rules of ['deny userns,', 'deny io_uring,', 'deny mqueue,'])
        expect([abiOf(rules), abiOf(rules, newer)], rules).to.deep.equal(['abi/3.0', 'abi/4.0'])
      expect(abiOf('priority=1 deny /x r,\nall,', newer)).to.equal('abi/3.0')
    })

    it('names what AppArmor of the node cannot say, and says it where it can', () => {
      const rules = enhance({ hardeningRules: ['disallow-create-user-ns'] })
      expect(skippedOf(rules)).to.deep.equal([
        {
          enforcer: 'AppArmor',
          path: 'spec.policy.enhanceProtect.hardeningRules[0]',
          rule: 'disallow-create-user-ns',
          reason: 'rules about user namespaces need AppArmor 4.0 and Linux 6.7',
          extent: 'all',
        },
      ])
      expect(skippedOf(rules, { appArmor: newAppArmor })).to.deep.equal([])
      const text = compiled(rules, { appArmor: newAppArmor })
      expect(text).to.include('abi <abi/4.0>,').and.include('  userns,').and.include('  deny userns,')
    })

    it('bounds what one policy can ask of a node', () => {
      const targeted = (i: number) => ({ rules: `deny /secret${i} r,`, targets: [`/opt/program${i}`] })
      const many = enhance({ appArmorRawRules: Array.from({ length: 65 }, (_, i) => targeted(i)) })
      expect(errorsOf(many)[0]).to.include({ code: 'TOO_LARGE', path: 'spec.policy.enhanceProtect' })
      const long = enhance({
        appArmorRawRules: [
          { rules: `${'deny /a r,\n'.repeat(11_000)}` },
          ...Array.from({ length: 9 }, (_, i) => targeted(i)),
        ],
      })
      expect(errorsOf(long)[0]).to.include({ code: 'TOO_LARGE', path: 'spec.policy.enhanceProtect' })
    })

    it('stays quick on hostile text', () => {
      for (const rules of [
        ','.repeat(131_072),
        '{'.repeat(131_072),
        '/'.repeat(131_072),
        '<'.repeat(131_072),
        '"\\'.repeat(65_536),
      ]) {
        expect(errorsOf(enhance({ appArmorRawRules: [{ rules }] })).length).to.be.within(1, 50)
      }
    })

    it('reports every mistake at once, each with its place', () => {
      const errors = errorsOf(
        enhance({
          hardeningRules: ['disallow-mont'],
          attackProtectionRules: [{ rules: ['disable-shell'], targets: ['bin/sh', '/usr/bin/*'] }],
          appArmorRawRules: [{ rules: 'deny /a r,\n}\n' }],
        }),
      )
      expect(errors.map(({ code, path }) => `${code} ${path}`)).to.deep.equal([
        'UNKNOWN_RULE spec.policy.enhanceProtect.hardeningRules[0]',
        'BAD_PATTERN spec.policy.enhanceProtect.attackProtectionRules[0].targets[0]',
        'BAD_PATTERN spec.policy.enhanceProtect.attackProtectionRules[0].targets[1]',
        'BAD_APPARMOR_RULE spec.policy.enhanceProtect.appArmorRawRules[0].rules',
      ])
    })
  })

  describe('mounts', () => {
    const tries: Record<string, Parameters<ReturnType<typeof loaded>['mount']>[0]> = {
      'new proc': { point: '/mnt/', type: 'proc', flags: 14 },
      'new tmpfs': { point: '/mnt/', type: 'tmpfs' },
      'bind of /proc': { point: '/mnt/', source: '/proc/', flags: BIND },
      'rbind of /proc': { point: '/mnt/', source: '/proc/', flags: BIND | REC },
      'move over /proc': { point: '/proc/', source: '/home/', flags: MOVE },
      'remount of /proc': { point: '/proc/', flags: REMOUNT },
      'remount of /proc with flags': { point: '/proc/', flags: REMOUNT | BIND | 2 },
      'bind of /home': { point: '/mnt/', source: '/home/', flags: BIND },
      'remount of /home': { point: '/home/', flags: REMOUNT | 1 },
      'new ext4 of a disk': { point: '/mnt/', source: '/dev/sda1', type: 'ext4' },
    }
    const rows: [rule: string, refused: string[]][] = [
      ['disallow-mount', Object.keys(tries)],
      [
        'disallow-mount-procfs',
        [
          'new proc',
          'bind of /proc',
          'rbind of /proc',
          'move over /proc',
          'remount of /proc',
          'remount of /proc with flags',
        ],
      ],
      ['disallow-mount-disk-device', ['new ext4 of a disk']],
      ['disallow-insmod', []],
    ]
    for (const [rule, refused] of rows) {
      it(`${rule} refuses ${refused.join(', ') || 'none'}`, function () {
        needsParser(this)
        const profile = loaded(enhance({ hardeningRules: [rule], privileged: true }))
        expect(Object.keys(tries).filter((name) => !profile.mount(tries[name]!))).to.deep.equal(refused)
      })
    }
  })
})
