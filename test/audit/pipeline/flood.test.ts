import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import type { PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { keysOfContainer, type WaitKey } from '../../../src/audit/enrich/wait-keys.ts'
import { Deferral } from '../../../src/audit/pipeline/deferral.ts'
import { bytesOf, demo, demoHead, demoPid } from '../harness.ts'
import { ManualClock } from '../manual-clock.ts'
import { denial } from '../pipeline-world.ts'

const [web] = demo.containers as [ContainerInfo]
const victim = { ...web, bpfNumber: 5, bpfSince: 1 }
const later = demo.containers.slice(1)
const ofFlood = (text: string): string => text.replaceAll('varmor-demo-demo-1', 'varmor-cluster-varmor-all')

/** The flood's processes have ended; the victim's process is known. */
const processes: PidResolver = {
  beginBatch: () => undefined,
  resolve: (pid) => (pid === demoPid ? { containerID: web.containerID, mntNsID: 1, since: 0 } : 'process-gone'),
}

const lines = (count: number, one: (i: number) => string): Uint8Array =>
  bytesOf(Array.from({ length: count }, (_, i) => one(i)).join(''))

const record = (number: number, cgroup: number): Uint8Array =>
  makeRecord({ kind: 'userns', comm: 'x', head: { ...demoHead, container: number, cgroup, mnt_ns: cgroup, tgid: 9 } })

const floods: {
  what: string
  format: BatchFormat
  flood(second: number): Uint8Array
  one: Uint8Array
  seconds: number
}[] = [
  {
    what: 'another profile',
    format: 'auditlog',
    flood: () => lines(25_000, (i) => ofFlood(denial(`/${i}`, 100_000 + i))),
    one: bytesOf(denial('/victim')),
    seconds: 2,
  },
  {
    what: 'profiles that it makes up',
    format: 'auditlog',
    flood: () => lines(25_000, (i) => denial(`/${i}`, 100_000 + i).replaceAll('demo-demo-1', `made-up-${i}`)),
    one: bytesOf(denial('/victim')),
    seconds: 2,
  },
  {
    what: 'a BPF profile, from cgroups that it makes',
    format: 'record',
    flood: () => Buffer.concat(Array.from({ length: 25_000 }, (_, i) => record(6, 10_000 + i))),
    one: record(5, 999),
    seconds: 1,
  },
]

describe('the victim of a flood of 25,000 records a second', () => {
  for (const { what, format, flood, one, seconds } of floods)
    it(`keeps its attribution, though its container is known later, beside ${what}`, async () => {
      const clock = new ManualClock()
      const scratch = new Scratch()
      let snapshot = new Snapshot({ ...demo, containers: later })
      let news: WaitKey[] = []
      const written: string[] = []
      const process = (bytes: Uint8Array, final: boolean): void => {
        const batch = { source: 'test', seq: 0, format, bytes: new Uint8Array(bytes), final }
        const { output, deferred } = processBatch(batch, snapshot, processes, scratch)
        for (const text of Buffer.from(output).toString().split('\n').slice(0, -1))
          if (text.includes(format === 'record' ? `"mntNsID":999,` : '/victim')) written.push(text)
        for (const one of deferred) room.hold({ owner: '', format, readAt: undefined, deferred: one })
      }
      const room = new Deferral<string>({
        clock,
        news: () => news.splice(0),
        retry: ({ bytes, final }) => process(bytes, final),
      })
      process(one, false)
      for (let second = 0; second < seconds; second++) {
        process(flood(second), false)
        expect(room.bytes).to.be.at.most(8 * 1024 * 1024)
        await clock.advance(1_000)
      }
      expect([written.length, room.cutShort > 0 || format === 'record']).to.deep.equal([0, true])
      snapshot = new Snapshot({ ...demo, version: 2, containers: [victim, ...later] })
      news = keysOfContainer(victim)
      await clock.advance(200)
      expect(written.map((text) => (JSON.parse(text) as { podName: string }).podName)).to.deep.equal([web.podName])
      room.close()
    }).timeout(60_000)
})

describe('records of many holders in one batch', () => {
  it('wait apart up to a number of holders, and those of further ones together', () => {
    const records = Buffer.concat(Array.from({ length: 1_000 }, (_, i) => record(i + 1, 10_000 + i)))
    const batch = { source: 'test', seq: 0, format: 'record' as const, bytes: new Uint8Array(records) }
    const { deferred } = processBatch(batch, new Snapshot(demo), processes, new Scratch())
    expect(deferred.map(({ holder, records: count }) => (holder === '' ? count : 0)).filter(Boolean)).to.deep.equal([
      744,
    ])
    expect(deferred).to.have.length(257)
  })
})
