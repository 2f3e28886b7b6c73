import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { VarmorPolicy } from '../../../src/api/types.ts'
import { AppArmorLoader } from '../../../src/enforcer/apparmor.ts'
import { parserProgram } from '../../../src/enforcer/apparmor-parser.ts'
import { contentDigest } from '../../../src/enforcer/ports.ts'
import { until } from '../../cli/child.ts'
import { output } from '../../cluster/command.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { ContainedShell } from './contained-shell.ts'
import {
  appArmorFolder,
  ControlPlaneInGuest,
  policyNamed,
  profileOf,
  profileOnDisk,
  textOf,
} from './control-plane-in-guest.ts'

const cache = '/var/cache/apparmor'
const profilesFile = '/sys/kernel/security/apparmor/profiles'

/** Lines of the kernel about a profile and its children: `NAME (MODE)`. */
const inKernel = (name: string): string[] =>
  readFileSync(profilesFile, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}//`))
    .sort()

const cached = (name: string): string[] =>
  existsSync(cache)
    ? readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith(`/${name}`))
    : []

const raw = (name: string, rules: string, more: object = {}): VarmorPolicy =>
  policyNamed(name, { mode: 'EnhanceProtect', enhanceProtect: { appArmorRawRules: [{ rules }], ...more } })

const allowed = { status: 0, text: '' }
const refused = (path: string) => ({ status: 1, text: `sh: eval: line 0: can't create ${path}: Permission denied` })

describe('AppArmor on a real kernel', function () {
  this.timeout(600_000)
  const shells: ContainedShell[] = []
  const shell = async (id: string, profile?: string, flags?: readonly string[]): Promise<ContainedShell> => {
    const started = await ContainedShell.start(id, profile, flags)
    shells.push(started)
    return started
  }
  before(() => output('containerd-up', []))
  afterEach(async () => {
    for (const each of shells.splice(0)) await each.stop()
  })

  describe('loads profiles', () => {
    const name = 'varmor-demo-loader'
    const text = (rules: string): string =>
      `abi <abi/3.0>,\nprofile ${name} flags=(attach_disconnected,mediate_deleted) {\n  file,\n  capability,\n${rules}}\n`
    const loader = (): AppArmorLoader => new AppArmorLoader()
    afterEach(() => loader().unload(name))

    it('and lists what the kernel holds', async () => {
      const one = loader()
      const content = text('')
      await one.load(name, content)
      expect(inKernel(name)).to.deep.equal([`${name} (enforce)`])
      expect((await one.list()).get(name)).to.equal(contentDigest(content))
      await output('apparmor_parser', ['--remove', join(appArmorFolder, name)])
      expect((await one.list()).get(name)).to.equal('')
      await one.unload(name)
      expect((await one.list()).has(name)).to.equal(false)
    })

    it('and sees one that somebody else has replaced, which has the same name and mode', async () => {
      const one = loader()
      await one.load(name, text(''))
      await output('apparmor_parser', ['--replace', '--skip-cache'], { input: text('  deny /etc/** w,\n') })
      expect(inKernel(name)).to.deep.equal([`${name} (enforce)`])
      expect((await one.list()).get(name)).to.equal('')
    })

    for (const [when, held] of [
      ['for the first time', undefined],
      ['again', ''],
      ['in the place of another text', '  deny /srv/** w,\n'],
    ] as const)
      it(`and sees that somebody replaces one while it is loaded ${when}`, async () => {
        let harms = 0
        const one = new AppArmorLoader({
          runParser: async (...args) => {
            const run = await parserProgram()(...args)
            if (harms-- > 0)
              await output('apparmor_parser', ['--replace', '--skip-cache'], { input: text('  deny /etc/** w,\n') })
            return run
          },
        })
        if (held !== undefined) await one.load(name, text(held))
        harms = 1
        await one.load(name, text(''))
        // After the foreign change, the loader loads twice; the second load proves that the kernel has
        // vArmor's profile now.
        expect(harms).to.equal(-2)
        expect((await one.list()).get(name)).to.equal(contentDigest(text('')))
        const container = await shell('loader', name)
        expect(await container.run('echo > /etc/x')).to.deep.equal(allowed)
      })

    it('of which the parser refuses one with its line, and the one before stays in force', async () => {
      const one = loader()
      await one.load(name, text('  deny /data/** w,\n'))
      const before = readFileSync(join(appArmorFolder, name), 'utf8')
      const error = await thrownBy(one.load(name, text('  deny /data/** w,\n  no such rule,\n')))
      expect(error).to.include({ code: 'PROFILE_REJECTED', retryable: false })
      expect(error.context).to.include({ profile: name, line: 6 })
      expect(error.context['reason']).to.match(/^syntax error, unexpected TOK_ID/)
      expect(readFileSync(join(appArmorFolder, name), 'utf8')).to.equal(before)
      expect((await one.list()).get(name)).to.equal(contentDigest(before))
      const container = await shell('loader', name)
      expect(await container.run('echo > /data/x')).to.deep.equal(refused('/data/x'))
    })

    it('from the cache of the parser after a start of the agent, and after a change not', async () => {
      const said: string[] = []
      const logging = (): AppArmorLoader =>
        new AppArmorLoader({
          runParser: async (args, stdin) => {
            const run = await parserProgram()(['--show-cache', ...args], stdin)
            said.push(run.stderr)
            return run
          },
        })
      await logging().load(name, text(''))
      expect(cached(name)).to.have.length(1)
      await logging().load(name, text(''))
      expect(said.pop()).to.match(new RegExp(`^Cache hit: ${cache}/.*/${name}$`, 'm'))
      await logging().load(name, text('  deny /data/** w,\n'))
      expect(said.pop()).not.to.contain('Cache hit')
      await logging().unload(name)
      expect(cached(name)).to.deep.equal([])
    })
  })

  describe('under the control of policies', () => {
    let cluster: ControlPlaneInGuest
    let said: string[]
    before(async () => {
      const say = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`)
      said = []
      cluster = await ControlPlaneInGuest.start({
        info: () => undefined,
        warn: say,
        error: say,
        debug: () => undefined,
      })
    })
    after(() => cluster?.stop())

    it('gives a process that runs already other rules, stricter and looser, without a restart', async () => {
      const profile = profileOf('live')
      await cluster.apply(raw('live', 'deny /data/a* wl,'))
      const container = await shell('live', profile)
      expect(await container.label()).to.equal(`${profile} (enforce)`)
      expect(await container.run('echo > /data/a')).to.deep.equal(refused('/data/a'))
      expect(await container.run('echo > /data/b')).to.deep.equal(allowed)
      await cluster.apply(raw('live', 'deny /data/b* wl,'))
      expect(await container.run('echo > /data/a')).to.deep.equal(allowed)
      expect(await container.run('echo > /data/b')).to.deep.equal(refused('/data/b'))
      await cluster.apply(policyNamed('live', { mode: 'AlwaysAllow' }))
      expect(await container.run('echo > /data/b')).to.deep.equal(allowed)
      await cluster.remove('live')
    })

    // A limit of AppArmor: it checks an open file again only if the label is a different one, and a replaced profile
    // keeps its name (aa_file_perm() and profile_cmp() in security/apparmor).
    it('leaves alone what was opened before the rule came', async () => {
      await cluster.apply(policyNamed('open', { mode: 'AlwaysAllow' }))
      const container = await shell('open', profileOf('open'))
      await container.run('exec 7>> /data/open')
      expect(await container.run('echo 1 >&7')).to.deep.equal(allowed)
      await cluster.apply(raw('open', 'deny /data/** wl,'))
      expect(await container.run('echo 2 >&7')).to.deep.equal(allowed)
      expect(await container.run('echo 3 >> /data/open')).to.deep.equal(refused('/data/open'))
      await cluster.remove('open')
    })

    it('only observes where violations are allowed, and refuses from the moment that they are not', async () => {
      const observed = { auditViolations: true, allowViolations: true }
      const policy = (more: object) =>
        policyNamed('observe', {
          mode: 'EnhanceProtect',
          enhanceProtect: { attackProtectionRules: [{ rules: ['disable-write-etc'] }], ...more },
        })
      await cluster.apply(policy(observed))
      const profile = profileOf('observe')
      expect(inKernel(profile)).to.deep.equal([`${profile} (complain)`])
      const container = await shell('observe', profile)
      expect(await container.label()).to.equal(`${profile} (complain)`)
      expect(await container.run('echo > /etc/x')).to.deep.equal(allowed)
      await cluster.apply(policy({ auditViolations: true }))
      expect(await container.label()).to.equal(`${profile} (enforce)`)
      expect(await container.run('echo > /etc/y')).to.deep.equal(refused('/etc/y'))
      await cluster.remove('observe')
    })

    it('confines programs with rules of their own by child profiles, which are replaced and removed with it', async () => {
      const own = (rules: string) =>
        policyNamed('child', {
          mode: 'EnhanceProtect',
          enhanceProtect: { appArmorRawRules: [{ rules, targets: ['/bin/busybox'] }] },
        })
      const profile = profileOf('child')
      await cluster.apply(own('deny /data/** wl,'))
      expect(inKernel(profile)).to.deep.equal([`${profile} (enforce)`, `${profile}//child_0 (enforce)`])
      // Turns off no_new_privs, which ctr sets by default.
      const container = await shell('child', profile, ['--allow-new-privs'])
      expect(await container.run('/bin/cat /proc/self/attr/current')).to.deep.equal({
        status: 0,
        text: `${profile}//child_0 (enforce)`,
      })
      // The shell itself was started in the outer profile.
      expect(await container.run('echo > /data/by-the-shell')).to.deep.equal(allowed)
      expect((await container.run('/bin/touch /data/by-touch')).text).to.contain('Permission denied')
      await cluster.apply(own('deny /tmp/** wl,'))
      expect(await container.run('/bin/touch /data/by-touch')).to.deep.equal(allowed)
      expect((await container.run('/bin/touch /tmp/by-touch')).text).to.contain('Permission denied')
      await cluster.remove('child')
      expect(await container.run('/bin/touch /tmp/by-touch')).to.deep.equal(allowed)
      expect(inKernel(profile)).to.deep.equal([`${profile} (enforce)`, `${profile}//child_0 (enforce)`])
    })

    // A limit of AppArmor: under no_new_privs a process may only change to a profile that is part of its own.
    it('keeps programs with rules of their own from being started in a process that may gain no privileges', async () => {
      await cluster.apply(
        policyNamed('no-new-privs', {
          mode: 'EnhanceProtect',
          enhanceProtect: { appArmorRawRules: [{ rules: 'deny /data/** wl,', targets: ['/bin/busybox'] }] },
        }),
      )
      const container = await shell('no-new-privs', profileOf('no-new-privs'))
      expect(await container.run('/bin/cat /etc/passwd')).to.deep.equal({
        status: 126,
        text: 'sh: eval: line 0: /bin/cat: Operation not permitted',
      })
      await cluster.remove('no-new-privs')
    })

    it('adds its rules to those of a container that is confined by a profile of its own already', async () => {
      writeFileSync(
        '/tmp/others',
        'profile others flags=(attach_disconnected) {\n  file,\n  capability,\n  deny /tmp/** wl,\n}\n',
      )
      await output('apparmor_parser', ['--replace', '/tmp/others'])
      const profile = profileOf('stack')
      await cluster.apply(raw('stack', 'deny /data/** wl,'))
      const container = await shell('stack', `others//&${profile}`)
      expect(await container.label()).to.equal(`others//&${profile} (enforce)`)
      expect(await container.run('echo > /data/x')).to.deep.equal(refused('/data/x'))
      expect(await container.run('echo > /tmp/x')).to.deep.equal(refused('/tmp/x'))
      await cluster.apply(raw('stack', 'deny /root/** wl,'))
      expect(await container.run('echo > /data/x')).to.deep.equal(allowed)
      expect(await container.run('echo > /root/x')).to.deep.equal(refused('/root/x'))
      expect(await container.run('echo > /tmp/x')).to.deep.equal(refused('/tmp/x'))
      await cluster.remove('stack')
      // An allow-all profile replaces the profile, but on Linux 6.12 not inside the stack: the old rules stay in force
      // until the container ends.
      expect(inKernel(profile)).to.deep.equal([`${profile} (enforce)`])
      expect(await container.run('echo > /tmp/x')).to.deep.equal(refused('/tmp/x'))
    })

    it('allows all when the policy goes, and is gone from kernel, disk and cache with the last container in it', async () => {
      const profile = profileOf('gone')
      await cluster.apply(raw('gone', 'deny /data/** wl,'))
      const container = await shell('gone', profile)
      await cluster.remove('gone')
      expect(await container.run('echo > /data/x')).to.deep.equal(allowed)
      // The process keeps the label, so that a restarted container and a new policy of the same name find the profile.
      expect(await container.label()).to.equal(`${profile} (enforce)`)
      expect(await (await shell('gone-again', profile)).run('echo > /data/x')).to.deep.equal(allowed)
      await cluster.apply(raw('gone', 'deny /data/** wl,'))
      expect(await container.run('echo > /data/x')).to.deep.equal(refused('/data/x'))
      await cluster.remove('gone')
      for (const each of shells.splice(0)) await each.stop()
      expect(await cluster.agent.check()).to.deep.equal([])
      expect([inKernel(profile), profileOnDisk(profile), cached(profile)]).to.deep.equal([[], undefined, []])
    })

    it('reports on the policy why the parser of a node refuses its profile, keeps the old one in force, and tries again', async () => {
      const profile = profileOf('refused')
      await cluster.apply(raw('refused', 'deny /data/** wl,'))
      const container = await shell('refused', profile)
      const old = profileOnDisk(profile)
      const base = join(appArmorFolder, 'abstractions/base')
      const sound = readFileSync(base, 'utf8')
      const line = sound.split('\n').length
      try {
        // The manager rejects such a policy earlier, so the test damages a file of the node.
        writeFileSync(base, `${sound}no such rule,\n`)
        await cluster.set(raw('refused', 'deny /root/** wl,'))
        const said = await until(async () => {
          const { phase, conditions = [] } = (await cluster.status('refused')) ?? {}
          return phase === 'Error' && JSON.stringify(conditions)
        })
        expect(said)
          .to.contain('guest')
          .and.to.match(/syntax error, unexpected TOK_ID/)
        expect(said).to.contain(`line ${line}`).and.to.contain(base)
        expect(profileOnDisk(profile)).to.equal(old)
        expect(await container.run('echo > /data/x')).to.deep.equal(refused('/data/x'))
        expect(await container.run('echo > /root/x')).to.deep.equal(allowed)
      } finally {
        writeFileSync(base, sound)
      }
      await cluster.apply(raw('refused', 'deny /root/** w,'))
      expect(await container.run('echo > /root/y')).to.deep.equal(refused('/root/y'))
      await until(async () => (await cluster.status('refused'))?.phase === 'Protecting')
      await cluster.remove('refused')
    })

    it('puts back what somebody has removed or replaced behind its back', async () => {
      const profile = profileOf('drift')
      const policy = raw('drift', 'deny /data/** wl,')
      await cluster.apply(policy)
      const container = await shell('drift', profile)
      const path = join(appArmorFolder, profile)
      // A check that found the previous damage may still load the profile while the next damage happens. The result of
      // a single check is therefore random, so the test reads the kernel and the disk.
      const isPutBack = async (): Promise<boolean> => {
        await cluster.agent.check()
        return profileOnDisk(profile) === textOf(policy) && inKernel(profile).join() === `${profile} (enforce)`
      }
      const harms: [what: string, harm: () => unknown][] = [
        [
          'replaced',
          () =>
            execFileSync('apparmor_parser', ['--replace', '--skip-cache'], { input: `profile ${profile} { file, }` }),
        ],
        ['set to complain', () => execFileSync('apparmor_parser', ['--replace', '--skip-cache', '--Complain', path])],
        ['without its file', () => rmSync(path)],
      ]
      for (const [what, harm] of harms) {
        harm()
        await until(async () => (await isPutBack()) && (await container.run('echo > /data/x')).status !== 0)
        expect(await container.run('echo > /data/x'), what).to.deep.equal(refused('/data/x'))
        expect(await container.label(), what).to.equal(`${profile} (enforce)`)
      }
      // Processes in the removed profile stay unconfined; new containers do not.
      execFileSync('apparmor_parser', ['--remove', path])
      await until(isPutBack)
      expect(inKernel(profile)).to.deep.equal([`${profile} (enforce)`])
      const other = await shell('drift-again', profile)
      expect(await other.run('echo > /data/x')).to.deep.equal(refused('/data/x'))
      await cluster.remove('drift')
    })
  })

  describe('lets hard links be made', () => {
    const name = 'varmor-demo-links'
    const load = (rules: string): Promise<void> =>
      new AppArmorLoader().load(
        name,
        `abi <abi/3.0>,\nprofile ${name} flags=(attach_disconnected,mediate_deleted) {\n  file,\n  capability,\n${rules}}\n`,
      )
    let container: ContainedShell
    before(async () => {
      await load('')
      container = await ContainedShell.start('links', name)
    })
    after(async () => {
      await container.stop()
      await new AppArmorLoader().unload(name)
    })
    const rows: [title: string, rules: string, made: boolean, from: string, to: string][] = [
      ['to a file without rules', 'deny /data/secret* rwlk,', true, 'plain', 'other'],
      ['not to one that may not be read', 'deny /data/secret* r,', false, 'secret', 'other'],
      ['not to one that may not be written', 'deny /data/secret* w,', false, 'secret', 'other'],
      ['not to one that may only be appended to', 'deny /data/secret* w,\n/data/secret* a,', false, 'secret', 'other'],
      ['not to one that may not be executed', 'deny /data/secret* x,', false, 'secret', 'other'],
      ['not to one that may not be mapped', 'deny /data/secret* m,', false, 'secret', 'other'],
      ['not out of a directory that is protected', 'deny /data/kept/** w,', false, 'kept/file', 'file'],
      ['within the same protection', 'deny /data/secret* r,', true, 'secret', 'secret-2'],
      ['not by a protected name, with `l`', 'deny /data/secret* wl,', false, 'plain', 'secret-2'],
      ['by a protected name, without `l`, as it gives less', 'deny /data/secret* r,', true, 'plain', 'secret-2'],
    ]
    for (const [title, rules, made, from, to] of rows)
      it(title, async () => {
        await load('')
        const fresh = 'rm -rf /data/*; mkdir /data/kept; for f in plain secret kept/file; do echo $f > /data/$f; done'
        expect(await container.run(fresh)).to.deep.equal(allowed)
        await load(`  ${rules}\n`)
        const { status, text } = await container.run(`/bin/ln /data/${from} /data/${to}`)
        expect(text).to.equal(made ? '' : `ln: /data/${to}: Permission denied`)
        expect(status).to.equal(made ? 0 : 1)
      })
  })
})
