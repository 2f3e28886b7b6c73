import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { release } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { ForkAnswer } from '../../../src/audit/lineage/fork-addon.ts'
import { Forks } from '../../../src/audit/lineage/forks.ts'
import { nodeArguments } from '../../run/as-run.ts'
import { withKernelAlone } from '../../run/kernel-alone.ts'
import { ShortLived } from './short-lived.ts'
import { whyNoForks } from './why-not-here.ts'

const missing = whyNoForks()
/** Waits until the tree's first second is over: in that second, the earlier owners of pids are unknown. */
const nextSecond = (): Promise<void> => pause(1_100)
const threads = (): number => readdirSync('/proc/self/task').length

describe(`forks of this node${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  let forks: Forks | undefined
  before(function () {
    if (missing !== undefined) this.skip()
  })
  withKernelAlone()
  afterEach(() => forks?.close())

  const since = (begin: number, pid: number): ForkAnswer | undefined => forks!.find(pid, begin, Date.now() / 1000 + 1)

  it('resolve all children of a process that was known, after the death of all', async () => {
    forks = Forks.open()
    await nextSecond()
    const begin = Date.now() / 1000
    const parent = new ShortLived('quiet', 5_000, 20)
    const key = forks.living(parent.pid)!
    expect(forks.confirm(key, 'c1')).to.equal(true)
    const pids = await parent.run()
    expect(pids).to.have.length(5_000)
    expect(new Set(pids.map((pid) => since(begin, pid)?.containerID))).to.deep.equal(new Set(['c1']))
    expect(forks.confirm(key, 'c2')).to.equal(false)
    expect(forks.stats()).to.include({ overruns: 0, socketDrops: 0, forged: 0, malformed: 0, error: 0 })
  })

  it('name a living ancestor to ask, as long as there is one', async () => {
    forks = Forks.open()
    await nextSecond()
    const begin = Date.now() / 1000
    const parent = new ShortLived('quiet', 1)
    const [child] = await parent.run()
    expect(since(begin, child!)).to.deep.include({ containerID: '', processes: 1, ask: process.pid, itself: false })
    expect(since(begin, process.pid)).to.include({ ask: process.pid, itself: true })
  })

  it('are counted as lost when the buffer is too small, resolve nothing of that time, and are whole again after a scan', async () => {
    forks = Forks.open({ receiveBuffer: 65_536, napMs: 1_000 })
    await nextSecond()
    const begin = Date.now() / 1000
    const parent = new ShortLived('quiet', 2_000, 20)
    const pids = await parent.run()
    const found = pids.map((pid) => since(begin, pid)).filter((answer) => answer !== undefined)
    expect(found.length).to.be.lessThan(pids.length / 2)
    expect(forks.stats()!.error).to.equal(0)
    expect(forks.stats()!.overruns).to.be.greaterThan(0)
    expect(forks.stats()!.socketDrops).to.be.greaterThan(0)
    while (forks.stats()!.scans < 2 || forks.living(process.pid) === undefined) await pause(20)
    // Other work of this machine may fill so small a buffer again, so the test retries until its own timeout.
    let answer: ForkAnswer | undefined
    while (answer === undefined) {
      await nextSecond()
      const later = Date.now() / 1000
      const [child] = await new ShortLived('quiet', 1).run()
      answer = since(later, child!)
    }
    expect(answer).to.include({ processes: 1, ask: process.pid, itself: false })
  })

  it('are followed again and again, and no thread or file stays', async () => {
    for (let i = 0; i < 3; i++) Forks.open({ entries: 4096 }).close()
    const before = { threads: threads(), files: readdirSync('/proc/self/fd').length }
    for (let i = 0; i < 50; i++) {
      const one = Forks.open({ entries: 4096, napMs: i % 2 === 0 ? 0 : 1_000 })
      one.find(process.pid, 0, 1)
      one.close()
      one.close()
      expect(one.find(process.pid, Date.now() / 1000, Date.now() / 1000)).to.equal(undefined)
      expect(one.stats()).to.equal(undefined)
    }
    expect({ threads: threads(), files: readdirSync('/proc/self/fd').length }).to.deep.equal(before)
  })

  it('know nothing of times long past or to come', () => {
    forks = Forks.open()
    const now = Date.now() / 1000
    for (const at of [0, now - 3_600, now + 60, Number.NaN, Number.POSITIVE_INFINITY, -1e300])
      expect(forks.find(process.pid, at, at), `${at}`).to.equal(undefined)
  })

  // Linux 6.6 lets every user listen; some later kernels, 6.18.44 for example, ask for CAP_NET_ADMIN again.
  const [major, minor] = release().split('.').map(Number) as [number, number]
  const mayBeOpen = major > 6 || (major === 6 && minor >= 6)
  const script = nodeArguments('./try-to-follow.ts', import.meta.url)
  const under: { what: string; command: string[]; codes: string[] }[] = [
    {
      what: 'without CAP_NET_ADMIN',
      command: ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'],
      codes: mayBeOpen ? ['OPEN', 'NOT_PERMITTED'] : ['NOT_PERMITTED'],
    },
    { what: 'in another network namespace', command: ['unshare', '--net'], codes: ['WRONG_NETWORK'] },
    {
      what: 'in another pid namespace',
      command: ['unshare', '--pid', '--fork', '--mount-proc'],
      codes: ['WRONG_PROCESSES'],
    },
  ]
  for (const { what, command, codes } of under)
    it(`${what}: ${codes.join(' or ')}, which is logged once if it is a problem`, function () {
      const [tool, ...args] = command as [string, ...string[]]
      const { status, stdout, error } = spawnSync(tool, [...args, process.execPath, ...script], {
        encoding: 'utf8',
      })
      if (error !== undefined) return this.skip()
      expect(status).to.equal(0)
      const { warned, off } = JSON.parse(stdout) as { warned: number; off: string }
      expect(codes).to.include(off)
      expect(warned).to.equal(off === 'OPEN' ? 0 : 1)
    })
})
