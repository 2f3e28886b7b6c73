import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { forkNumber } from '../../../src/audit/lineage/current-forks.ts'
import { Forks } from '../../../src/audit/lineage/forks.ts'
import { Pipeline } from '../../../src/audit/pipeline/pipeline.ts'
import { DecodePool } from '../../../src/audit/pool/decode-pool.ts'
import { Sink } from '../../../src/audit/sink/sink.ts'
import { MulticastSource } from '../../../src/audit/source/multicast.ts'
import type { AuditSource } from '../../../src/audit/source/source.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { withKernelAlone } from '../../run/kernel-alone.ts'
import { checkLine } from '../check-line.ts'
import { demo } from '../harness.ts'
import { denial, ListSource } from '../pipeline-world.ts'
import { dropped, whyNotHere } from '../source/kernel-records.ts'
import { ShortLived } from './short-lived.ts'
import { whyNoForks } from './why-not-here.ts'

const noForks = whyNoForks()
const noRecords = noForks ?? whyNotHere()
const [web, bystander] = demo.containers
const bootTime = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1])
const children = 10_000

type Line = { pid: number; podName: string; unresolved?: string; event: { pid?: number; comm?: string } }

describe(`violations of processes that died at once${noForks === undefined ? '' : ` (not here: ${noForks})`}`, () => {
  let folder: string
  let forks: Forks
  let feed: SnapshotFeed
  let pool: DecodePool
  let programs: ShortLived[]

  before(function () {
    if (noForks !== undefined) this.skip()
  })
  withKernelAlone()
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-lineage-'))
    programs = []
    forks = Forks.open()
    feed = new SnapshotFeed({ ...demo, bootTime, containers: [web!, bystander!] })
    const settings = { everything: false, procRoot: '/proc', forks: forkNumber(forks.number) }
    pool = new DecodePool({ feed, settings, clock: systemClock })
    // In the second in which the tree was opened, the earlier owners of pids are unknown.
    await Promise.all([pool.ready(), pause(1_100)])
  })
  afterEach(async () => {
    for (const program of programs) program.kill()
    await pool.close()
    forks.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = (mode: 'log' | 'quiet', count: number, width?: number): ShortLived => {
    const program = new ShortLived(mode, count, width)
    programs.push(program)
    return program
  }
  const flow = (source: AuditSource) => {
    const path = join(folder, 'violations.log')
    const sink = new Sink({ path, size: '1G', clock: systemClock, random: Math.random, writer: feed })
    const pipeline = new Pipeline({ sources: [{ source, pressure: 'loses' }], pool, sink, feed, clock: systemClock })
    const ended = sink.ready().then(() => pipeline.run())
    const lines = async (): Promise<Line[]> => {
      await ended
      return readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => checkLine(line) as unknown as Line)
    }
    return { pipeline, lines }
  }
  const recordsOf = (pids: readonly number[]): ListSource => {
    const seconds = Math.floor(Date.now() / 1000)
    return new ListSource([pids.map((pid) => denial(`/${pid}`, pid, seconds)).join('')])
  }

  const here = noRecords === undefined ? '' : ` (not here: ${noRecords})`
  it(`name the container of each of ${children} children that the kernel wrote one record of${here}`, async function () {
    if (noRecords !== undefined) this.skip()
    // A child that still lives is looked up by its mount namespace, because it is in none of the node's container
    // cgroups.
    feed.update({ containers: [{ ...web!, initPid: process.pid, mntNsID: statSync('/proc/self/ns/mnt').ino }] })
    const program = start('log', children, 8)
    forks.confirm(forks.living(program.pid)!, web!.containerID)
    const source = new MulticastSource()
    const { pipeline, lines } = flow(source)
    const pids = await program.run()
    for (let before = -1, quiet = 0; quiet < 10; await pause(50)) {
      quiet = pipeline.accounting.totals.read === before ? quiet + 1 : 0
      before = pipeline.accounting.totals.read
    }
    pipeline.stop()
    const own = (await lines()).filter(({ event }) => event.comm === 'short-lived')
    expect(own.length + dropped(source.stats())).to.equal(children)
    expect(new Set(own.map(({ pid }) => pid)).size).to.equal(new Set(pids).size)
    expect(own.filter(({ podName }) => podName !== web!.podName)).to.deep.equal([])
    expect(own.filter(({ unresolved }) => unresolved !== undefined)).to.deep.equal([])
  })

  it('name it when the records come after the death of the whole container', async () => {
    const [ours, others] = [start('quiet', 200), start('quiet', 200)]
    forks.confirm(forks.living(ours.pid)!, web!.containerID)
    forks.confirm(forks.living(others.pid)!, bystander!.containerID)
    const [dead, strangers] = await Promise.all([ours.run(), others.run()])
    const { lines } = flow(recordsOf([...dead, ours.pid, ...strangers, others.pid]))
    const found = await lines()
    const pods = (pids: readonly number[]) =>
      new Set(found.filter(({ pid }) => pids.includes(pid)).map(({ podName }) => podName))
    expect(found).to.have.length(402)
    expect(pods([...dead, ours.pid])).to.deep.equal(new Set([web!.podName]))
    expect(pods([...strangers, others.pid])).to.deep.equal(new Set([bystander!.podName]))
  })

  it('find it by the mount namespace of a living ancestor, too', async () => {
    const mntNsID = statSync('/proc/self/ns/mnt').ino
    feed.update({ containers: [{ ...web!, initPid: process.pid, mntNsID }] })
    const program = start('quiet', 50)
    const { lines } = flow(recordsOf(await program.run()))
    const found = await lines()
    expect(found).to.have.length(50)
    expect(new Set(found.map(({ podName }) => podName))).to.deep.equal(new Set([web!.podName]))
  })

  it('say that there is none when it is not known where the parents were', async () => {
    const program = start('quiet', 20)
    const { lines } = flow(recordsOf(await program.run()))
    expect(new Set((await lines()).map(({ unresolved, podName }) => unresolved ?? podName))).to.deep.equal(
      new Set(['process-gone']),
    )
  })

  it('are resolved over /proc alone after the tree is closed', async () => {
    const mntNsID = statSync('/proc/self/ns/mnt').ino
    feed.update({ containers: [{ ...web!, initPid: process.pid, mntNsID }] })
    forks.close()
    const { lines } = flow(recordsOf([process.pid, 4_194_304]))
    const found = await lines()
    expect(found.map(({ podName, unresolved }) => unresolved ?? podName)).to.have.members([
      web!.podName,
      'process-gone',
    ])
  })
})
