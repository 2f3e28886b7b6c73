import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { attribute, attributeRecord, mayResolveLater } from '../../../src/audit/enrich/attribution.ts'
import { Attributions } from '../../../src/audit/enrich/attributions.ts'
import { LookupBudget } from '../../../src/audit/enrich/lookup-budget.ts'
import type { Membership, NoProcess, PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { ProcPidResolver, procReader, startOfStat } from '../../../src/audit/enrich/proc-pid-resolver.ts'
import { profileOfLabel } from '../../../src/audit/enrich/profile-of-label.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo } from '../harness.ts'
import { hideCgroup, makeProcess } from '../proc-world.ts'

const [web] = demo.containers as [ContainerInfo]

describe('a snapshot', () => {
  it('takes deltas one after the other, and refuses any other', () => {
    const snapshot = new Snapshot(demo)
    expect(snapshot.apply({ version: 3 })).to.equal(false)
    expect(snapshot.apply({ version: 2, withoutContainers: [web.containerID] })).to.equal(true)
    expect(snapshot.container(web.containerID)).to.equal(undefined)
    expect(snapshot.inMountNamespace(web.mntNsID)).to.equal(undefined)
    expect(snapshot.inCgroup(7001n)).to.equal(undefined)
    expect(snapshot.apply({ version: 2 })).to.equal(false)
    expect(snapshot.version).to.equal(2)
  })

  it('leaves a namespace and a pid to the newer container when the older one goes', () => {
    const snapshot = new Snapshot(demo)
    const next = { ...web, containerID: 'next' }
    snapshot.apply({ version: 2, containers: [next] })
    snapshot.apply({ version: 3, withoutContainers: [web.containerID] })
    expect(snapshot.inMountNamespace(web.mntNsID)?.info).to.equal(next)
    expect(snapshot.withInitPid(web.initPid)?.info).to.equal(next)
  })

  it('replaces and forgets policies, also by their number', () => {
    const snapshot = new Snapshot(demo)
    const policy = { ...demo.policies[0]!, name: 'renamed', bpfId: 12 }
    snapshot.apply({ version: 2, policies: [policy] })
    expect(snapshot.policy(policy.profileName)?.name).to.equal('renamed')
    expect(snapshot.policyOfBpfProfile(11)).to.equal(undefined)
    expect(snapshot.policyOfBpfProfile(12)).to.equal(policy)
    snapshot.apply({ version: 3, withoutPolicies: [policy.profileName] })
    expect(snapshot.policy(policy.profileName)).to.equal(undefined)
    expect(snapshot.policyOfBpfProfile(12)).to.equal(undefined)
  })
})

describe('the profile of a label', () => {
  const rows: [label: string, name: string, own: string[]][] = [
    ['varmor-demo-web', 'varmor-demo-web', ['varmor-demo-web']],
    ['varmor-demo-web//child_0', 'varmor-demo-web', ['varmor-demo-web']],
    ['varmor-demo-web//null-/usr/bin/a b', 'varmor-demo-web', ['varmor-demo-web']],
    ['varmor-demo-web (enforce)', 'varmor-demo-web', ['varmor-demo-web']],
    ['varmor-demo-web//null-/bin/sleep (complain)', 'varmor-demo-web', ['varmor-demo-web']],
    ['docker-default//&varmor-demo-web', 'varmor-demo-web', ['varmor-demo-web']],
    [':k8s://varmor-demo-web//x', 'varmor-demo-web', ['varmor-demo-web']],
    ['cri-containerd.apparmor.d (enforce)', 'cri-containerd.apparmor.d', []],
    ['/usr/bin/man//varmor-x', '/usr/bin/man', []],
    ['unconfined', 'unconfined', []],
    ['?', '', []],
    ['', '', []],
  ]
  rows.push(['varmor-a//&varmor-b//x', 'varmor-a', ['varmor-a', 'varmor-b']])
  for (const [label, name, own] of rows)
    it(`${JSON.stringify(label)} is ${JSON.stringify(name)}`, () => {
      expect(profileOfLabel(label)).to.deep.equal({ name, own })
    })
})

describe('the attribution of a process', () => {
  const snapshot = new Snapshot(demo)
  type Answer = Membership | NoProcess
  const resolver = (answer: Answer, living?: (pid: number) => Membership | undefined): PidResolver => ({
    beginBatch: () => undefined,
    resolve: () => answer,
    ...(living !== undefined && { living }),
  })
  const at = (answer: Answer, pid = 500) => attribute(pid, 100, snapshot, resolver(answer))
  const first = (mntNsID: number, startTicks = 7): Membership => ({ containerID: '', mntNsID, since: 0, startTicks })

  it('goes by the cgroup before the mount namespace, which a container can leave', () => {
    const found = at({ containerID: web.containerID, mntNsID: 999, since: 0 })
    expect([found.container?.info, found.mntNsID]).to.deep.equal([web, 999])
    expect(at({ containerID: '', mntNsID: web.mntNsID, since: 0 }).container?.info).to.equal(web)
    expect(at({ containerID: 'b'.repeat(64), mntNsID: web.mntNsID, since: 0 }).reason).to.equal('container-unknown')
  })

  it("believes a mount namespace only while the container's first process is in it", () => {
    const known = new Snapshot({ ...demo, containers: [{ ...web, initStart: 7 }] })
    const stray = { containerID: '', mntNsID: web.mntNsID, since: 0 }
    const now = (living: Membership | undefined) =>
      attribute(
        500,
        100,
        known,
        resolver(stray, () => living),
      )
    expect(now(first(web.mntNsID)).container?.info.podName).to.equal(web.podName)
    expect(now(undefined).reason).to.equal('container-unknown')
    expect(now(first(9)).reason).to.equal('container-unknown')
    expect(now(first(web.mntNsID, 8)).reason, 'another process with its pid').to.equal('container-unknown')
  })

  it('believes that a pid is that of a first process only of an old log', () => {
    expect(at('process-gone', web.initPid).container?.info).to.equal(web)
    const live = attribute(
      web.initPid,
      100,
      snapshot,
      resolver('process-gone', () => undefined),
    )
    expect(live).to.include({ container: undefined, reason: 'process-gone' })
  })

  it('says why there is none', () => {
    for (const reason of ['process-gone', 'pid-reused', 'lookup-limit'] as const)
      expect(at(reason).reason).to.equal(reason)
    expect(at({ containerID: 'b'.repeat(64), mntNsID: 1, since: 0 }).reason).to.equal('container-unknown')
    expect(at({ containerID: '', mntNsID: 1, since: 0 }).reason).to.equal('not-in-container')
    expect(at('process-gone', 0).reason).to.equal('no-pid')
  })

  it('has a record wait that could not be looked up only where it has more than its pid', () => {
    const record = attributeRecord(
      { number: 0, cgroup: 7n, mntNsID: 8, pid: 500, uptime: 100 },
      100,
      snapshot,
      resolver('lookup-limit'),
    )
    expect(record).to.deep.include({ reason: 'lookup-limit', waitsFor: ['cgroup 7', 'mnt 8'] })
    expect([record, at('lookup-limit')].map(mayResolveLater)).to.deep.equal([true, false])
  })

  it('names no container when the cgroup cannot be read, even if the mount namespace is known', () => {
    const hidden = { containerID: '', mntNsID: web.mntNsID, since: 0, unplaced: true } as const
    for (const more of [{}, { mntNsID: 1 }, { inherited: true }]) {
      const found = at({ ...hidden, ...more })
      expect(found).to.include({ container: undefined, reason: 'cgroup-unreadable' })
      expect(mayResolveLater(found)).to.equal(true)
    }
  })
})

describe('attributions', () => {
  for (const random of [0, 0.25, 0.5, 0.999_999_999])
    it(`have room for processes that follow one another, with the number ${random}`, () => {
      const asked: number[] = []
      const resolve = (pid: number): Membership => {
        asked.push(pid)
        return { containerID: web.containerID, mntNsID: 0, since: 0 }
      }
      const resolver: PidResolver = { beginBatch: () => undefined, resolve }
      const attributions = new Attributions(random)
      const snapshot = new Snapshot(demo)
      const pids = Array.from({ length: 199 }, (_, i) => i + 1)
      attributions.beginBatch(resolver, false)
      for (let round = 0; round < 2; round++) for (const pid of pids) attributions.find(pid, 100, snapshot, resolver)
      expect(asked).to.deep.equal(pids)
    })
})

describe('the resolver over /proc', () => {
  const home = (containerID: string, since: number): Membership => ({ containerID, mntNsID: 1, since })

  function setup(options: { limit?: number; looks?: number } = {}) {
    const world = new Map<number, Membership>()
    const time = { now: 100 }
    const asked: number[] = []
    const readProcess = (pid: number) => {
      asked.push(pid)
      return world.get(pid)
    }
    const budget = new LookupBudget(options.looks ?? 1000, () => time.now * 1000)
    const resolver = new ProcPidResolver({ readProcess, budget, now: () => time.now, remember: 60, ...options })
    const batchAt = (now: number): void => {
      time.now = now
      resolver.beginBatch()
    }
    return { world, asked, resolver, batchAt }
  }

  it('asks once a batch, and not at all for what it saw alive after the event', () => {
    const { world, asked, resolver, batchAt } = setup()
    world.set(7, home('a', 0))
    batchAt(100)
    for (const second of [50, 99, 99.9]) expect(resolver.resolve(7, second, '')).to.deep.equal(home('a', 0))
    batchAt(200)
    expect(resolver.resolve(7, 98.9, '')).to.deep.equal({ ...home('a', 0), second: Number.NaN })
    expect(asked).to.deep.equal([7])
    expect(resolver.resolve(7, 199.9, '')).to.deep.equal(home('a', 0))
    expect(asked).to.deep.equal([7, 7])
  })

  it('asks once a batch for a process that is not there', () => {
    const { asked, resolver, batchAt } = setup()
    batchAt(100)
    for (let round = 0; round < 3; round++) expect(resolver.resolve(7, 99, '')).to.equal('process-gone')
    expect(asked).to.deep.equal([7])
  })

  it('knows what a process did up to when it was last seen, and nothing after that', () => {
    const { world, resolver, batchAt } = setup()
    world.set(7, home('a', 0))
    batchAt(100)
    resolver.resolve(7, 99, '')
    world.clear()
    batchAt(110)
    expect(resolver.resolve(7, 98.5, '')).to.include(home('a', 0))
    expect(resolver.resolve(7, 99.5, ''), 'its stamp may lag').to.equal('process-gone')
    expect(resolver.resolve(7, 105, '')).to.equal('process-gone')
    batchAt(161)
    expect(resolver.resolve(7, 150, '')).to.equal('process-gone')
    expect(resolver.size).to.equal(0)
  })

  it('does not say of a process that has ended that it was in no container, when its cgroup alone named none', () => {
    const { world, resolver, batchAt } = setup()
    world.set(7, home('', 0))
    const reasonAt = (time: number) => attribute(7, time, new Snapshot(demo), resolver).reason
    batchAt(100)
    expect(reasonAt(90)).to.equal('not-in-container')
    world.clear()
    batchAt(110)
    expect(reasonAt(90)).to.equal('process-gone')
  })

  it('gives an event to the process that had the pid at its time', () => {
    const { world, resolver, batchAt } = setup()
    world.set(7, home('old', 10))
    batchAt(50)
    resolver.resolve(7, 49, '')
    world.set(7, home('new', 60))
    batchAt(65)
    expect(resolver.resolve(7, 61, '')).to.deep.equal(home('new', 60))
    expect(resolver.resolve(7, 48.5, '')).to.include(home('old', 10))
    expect(resolver.resolve(7, 55, '')).to.equal('pid-reused')
    expect(resolver.resolve(7, 5, '')).to.equal('pid-reused')
  })

  it('learns from others what they saw, and when', () => {
    const { resolver, batchAt } = setup()
    batchAt(100)
    resolver.learn(9, { ...home('short-lived', 20), confirmed: 30 })
    expect(resolver.resolve(9, 25, '')).to.include(home('short-lived', 20))
    expect(resolver.resolve(9, 35, '')).to.equal('process-gone')
    resolver.learn(10, home('somebody said so', 20))
    expect(resolver.resolve(10, 25, '')).to.equal('process-gone')
  })

  it('forgets what it saw when the clock is set back', () => {
    const { world, resolver, batchAt } = setup()
    world.set(7, home('a', 0))
    batchAt(100)
    resolver.resolve(7, 99, '')
    world.clear()
    batchAt(90)
    expect(resolver.resolve(7, 89, '')).to.equal('process-gone')
  })

  it('learns nothing from another thread that saw it before the clock was set back', () => {
    const { resolver, batchAt } = setup()
    batchAt(90)
    resolver.learn(7, { ...home('a', 0), confirmed: 3_690 })
    expect(resolver.resolve(7, 89, '')).to.equal('process-gone')
    resolver.learn(7, { ...home('a', 0), confirmed: 90.5 })
    expect(resolver.resolve(7, 89, '')).to.deep.include({ containerID: 'a' })
  })

  it('looks so often a second for a container, and for others as before', () => {
    const { world, asked, resolver, batchAt } = setup({ looks: 3 })
    for (let pid = 1; pid <= 10; pid++) world.set(pid, home('a', 0))
    batchAt(100)
    const answers = Array.from({ length: 5 }, (_, pid) => resolver.resolve(pid + 1, 99, 'varmor-a'))
    expect(answers.slice(3)).to.deep.equal(['lookup-limit', 'lookup-limit'])
    expect(resolver.resolve(10, 99, 'varmor-b')).to.deep.equal(home('a', 0))
    expect(asked).to.deep.equal([1, 2, 3, 10])
    batchAt(101)
    expect(resolver.resolve(5, 100, 'varmor-a')).to.deep.equal(home('a', 0))
  })

  it('looks for each of many that ask for much, in shares, and takes so much time for all together', () => {
    let now = 0
    const budget = new LookupBudget(500, () => now)
    const looks = (payer: string, wanted: number): number =>
      Array.from({ length: wanted }, () => budget.take(payer)).filter(Boolean).length
    expect(looks('c0', 10_000)).to.equal(500)
    const floods = Array.from({ length: 99 }, (_, i) => looks(`c${i + 1}`, 10_000))
    expect(floods.reduce((sum, one) => sum + one, 500)).to.be.below(4_000 * (1 + Math.log(100)))
    expect(looks('victim', 20), 'behind all of them').to.equal(20)
    expect(looks('c0', 1)).to.equal(0)
    now = 1_000
    expect(looks('c0', 10_000)).to.equal(500)
  })

  it('keeps no more processes than its limit', () => {
    const { world, resolver, batchAt } = setup({ limit: 3 })
    batchAt(100)
    for (let pid = 1; pid <= 10; pid++) {
      world.set(pid, home('a', 0))
      resolver.resolve(pid, 50, '')
    }
    expect(resolver.size).to.equal(3)
  })

  it('reads the start of a process whose name looks like fields', () => {
    const fields = Array.from({ length: 50 }, (_, i) => (i === 19 ? '12345' : `${i}`)).join(' ')
    expect(startOfStat(`7 (a) S 1 (b) ${fields}`)).to.equal(12345)
  })

  const id = '0123456789abcdef'.repeat(4)

  it('reads a process from a proc file system, and nothing of one that is not there', () => {
    const root = mkdtempSync(join(tmpdir(), 'proc-'))
    mkdirSync(join(root, '7', 'ns'), { recursive: true })
    const fields = Array.from({ length: 50 }, (_, i) => (i === 19 ? '500' : `${i}`)).join(' ')
    writeFileSync(join(root, '7', 'stat'), `7 (cat) ${fields}\n`)
    writeFileSync(join(root, '7', 'cgroup'), `0::/kubepods/${id}\n`)
    symlinkSync('mnt:[4026532725]', join(root, '7', 'ns', 'mnt'))
    const read = procReader(() => 1000, root)
    const process = { ppid: 1, startTime: 1005 }
    const cgroupPath = `/kubepods/${id}`
    const seven = { containerID: id, mntNsID: 4026532725, since: 1005, startTicks: 500, cgroupPath, process }
    expect(read(7)).to.deep.equal(seven)
    expect(read(8)).to.equal(undefined)
    rmSync(join(root, '7', 'ns', 'mnt'))
    expect(read(7)).to.deep.equal({ ...seven, mntNsID: 0 })
    const known = read(7)!
    expect(read(7, known), 'still the same process').to.equal(known)
    const named = procReader(
      () => 1000,
      root,
      () => 'a name by now',
    )
    expect(named(7, seven)).to.deep.equal({ ...seven, containerID: 'a name by now' })
    // An ending process shows the root cgroup; the conclusion that it is in no container would be wrong.
    writeFileSync(join(root, '7', 'cgroup'), '0::/\n')
    expect(read(7)).to.equal(undefined)
    rmSync(root, { recursive: true })
  })

  it('does not know where a process is whose cgroup path is too long for the kernel to show', () => {
    const root = mkdtempSync(join(tmpdir(), 'proc-'))
    makeProcess(root, 7, web)
    const known = procReader(() => 1000, root)(7)!
    hideCgroup(root, 7)
    const { since, startTicks } = known
    const hidden = { containerID: '', mntNsID: web.mntNsID, since, startTicks, unplaced: true }
    expect(procReader(() => 1000, root)(7)).to.deep.include(hidden)
    expect(procReader(() => 1000, root)(7, known)?.containerID, 'it was seen before').to.equal(web.containerID)
    rmSync(join(root, '7', 'ns', 'mnt'))
    expect(procReader(() => 1000, root)(7), 'it is ending').to.equal(undefined)
    rmSync(root, { recursive: true })
  })

  it('reads this process', () => {
    const membership = procReader(() => 0)(process.pid)
    expect(membership?.mntNsID).to.be.above(0)
    expect(membership?.since).to.be.above(0)
  })
})
