import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { attribute } from '../../../src/audit/enrich/attribution.ts'
import type { Membership } from '../../../src/audit/enrich/pid-resolver.ts'
import { ProcPidResolver, procReader, startOfStat } from '../../../src/audit/enrich/proc-pid-resolver.ts'
import { profileOfLabel } from '../../../src/audit/enrich/profile-of-label.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo } from '../harness.ts'

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
  const at = (answer: Membership | 'process-gone' | 'pid-reused', pid = 500) =>
    attribute(pid, 100, snapshot, { generation: 0, resolve: () => answer })

  it('goes by the cgroup before the mount namespace, which a container can leave', () => {
    const found = at({ containerID: web.containerID, mntNsID: 999, since: 0 })
    expect([found.container?.info, found.mntNsID]).to.deep.equal([web, 999])
    expect(at({ containerID: '', mntNsID: web.mntNsID, since: 0 }).container?.info).to.equal(web)
  })

  it('knows the first process of a container after its end', () => {
    expect(at('process-gone', web.initPid).container?.info).to.equal(web)
    expect(at('pid-reused', web.initPid).container).to.equal(undefined)
  })

  it('says why there is none', () => {
    expect(at('process-gone').reason).to.equal('process-gone')
    expect(at('pid-reused').reason).to.equal('pid-reused')
    expect(at({ containerID: 'b'.repeat(64), mntNsID: 1, since: 0 }).reason).to.equal('container-unknown')
    expect(at({ containerID: '', mntNsID: 1, since: 0 }).reason).to.equal('not-in-container')
    expect(at('process-gone', 0).reason).to.equal('no-pid')
  })
})

describe('the resolver over /proc', () => {
  const home = (containerID: string, since: number): Membership => ({ containerID, mntNsID: 1, since })

  function setup(options: { limit?: number } = {}) {
    const world = new Map<number, Membership>()
    const time = { now: 0 }
    const asked: number[] = []
    const readProcess = (pid: number) => {
      asked.push(pid)
      return world.get(pid)
    }
    const resolver = new ProcPidResolver({
      readProcess,
      now: () => time.now,
      fresh: 1000,
      remember: 60_000,
      ...options,
    })
    return { world, time, asked, resolver }
  }

  it('asks once within a second', () => {
    const { world, time, asked, resolver } = setup()
    world.set(7, home('a', 0))
    resolver.resolve(7, 50)
    time.now = 1000
    resolver.resolve(7, 50)
    expect(asked).to.deep.equal([7])
    time.now = 2001
    resolver.resolve(7, 50)
    expect(asked).to.deep.equal([7, 7])
  })

  it('remembers a process for a minute after its end', () => {
    const { world, time, resolver } = setup()
    world.set(7, home('a', 0))
    resolver.resolve(7, 50)
    world.clear()
    time.now = 60_000
    expect(resolver.resolve(7, 50)).to.deep.equal(home('a', 0))
    time.now = 60_001
    expect(resolver.resolve(7, 50)).to.equal('process-gone')
    expect(resolver.size).to.equal(0)
  })

  it('gives an event to the process that had the pid at its time', () => {
    const { world, time, resolver } = setup()
    world.set(7, home('old', 10))
    resolver.resolve(7, 50)
    world.set(7, home('new', 100))
    time.now = 5000
    expect(resolver.resolve(7, 101)).to.deep.equal(home('new', 100))
    expect(resolver.resolve(7, 90)).to.deep.equal(home('old', 10))
    expect(resolver.resolve(7, 5)).to.equal('pid-reused')
  })

  it('learns of processes that it could not have asked for', () => {
    const { resolver } = setup()
    const before = resolver.generation
    resolver.learn(9, home('short-lived', 20))
    expect(resolver.resolve(9, 20)).to.deep.equal(home('short-lived', 20))
    expect(resolver.generation).to.not.equal(before)
  })

  it('keeps no more processes than its limit', () => {
    const { world, resolver } = setup({ limit: 3 })
    for (let pid = 1; pid <= 10; pid++) {
      world.set(pid, home('a', 0))
      resolver.resolve(pid, 50)
    }
    expect(resolver.size).to.equal(3)
  })

  const id = '0123456789abcdef'.repeat(4)
  it('reads the start of a process whose name looks like fields', () => {
    const fields = Array.from({ length: 50 }, (_, i) => (i === 19 ? '12345' : `${i}`)).join(' ')
    expect(startOfStat(`7 (a) S 1 (b) ${fields}`)).to.equal(123.45)
  })

  it('reads a process from a proc file system, and nothing of one that is not there', () => {
    const root = mkdtempSync(join(tmpdir(), 'proc-'))
    mkdirSync(join(root, '7', 'ns'), { recursive: true })
    const fields = Array.from({ length: 50 }, (_, i) => (i === 19 ? '500' : `${i}`)).join(' ')
    writeFileSync(join(root, '7', 'stat'), `7 (cat) ${fields}\n`)
    writeFileSync(join(root, '7', 'cgroup'), `0::/kubepods/${id}\n`)
    symlinkSync('mnt:[4026532725]', join(root, '7', 'ns', 'mnt'))
    const read = procReader(1000, root)
    const process = { ppid: 1, startTime: 1005 }
    expect(read(7)).to.deep.equal({ containerID: id, mntNsID: 4026532725, since: 1005, process })
    expect(read(8)).to.equal(undefined)
    rmSync(join(root, '7', 'ns', 'mnt'))
    expect(read(7)).to.deep.equal({ containerID: id, mntNsID: 0, since: 1005, process })
    // As a process shows itself that is ending: that it is in no container would be wrong.
    writeFileSync(join(root, '7', 'cgroup'), '0::/\n')
    expect(read(7)).to.equal(undefined)
    rmSync(root, { recursive: true })
  })

  it('reads this process', () => {
    const membership = procReader(0)(process.pid)
    expect(membership?.mntNsID).to.be.above(0)
    expect(membership?.since).to.be.above(0)
  })
})
