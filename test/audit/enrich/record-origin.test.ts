import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { attributeRecord, mayResolveLater, type RecordOrigin } from '../../../src/audit/enrich/attribution.ts'
import type { Membership, NoProcess } from '../../../src/audit/enrich/pid-resolver.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { keysOfContainer } from '../../../src/audit/enrich/wait-keys.ts'
import { demo, demoHead, demoProcesses, linesOf } from '../harness.ts'

const [web] = demo.containers as [ContainerInfo]
const container = (name: string, more: Partial<ContainerInfo>): ContainerInfo => ({
  ...{ ...web, containerID: name.repeat(64), podName: name, initPid: 0, mntNsID: 0 },
  ...more,
})

/** `ended` had the number 5 until it ended at 100 s; `next` has the number since 200 s. */
const ended = container('a', { bpfNumber: 5, bpfSince: 1_000, cgroupID: 70n, mntNsID: 700 })
const next = container('b', { bpfNumber: 5, bpfSince: 20_000, cgroupID: 71n, mntNsID: 701 })
const other = container('c', { bpfNumber: 6, bpfSince: 1_000, cgroupID: 72n, mntNsID: 702 })
const without = (...keys: (keyof ContainerInfo)[]): ContainerInfo =>
  Object.fromEntries(Object.entries(next).filter(([key]) => !keys.includes(key as keyof ContainerInfo))) as never

describe('the container of a BPF record', () => {
  const rows: {
    what: string
    containers: ContainerInfo[]
    record: Partial<RecordOrigin>
    /** The answer of /proc about the record's process. */
    process?: Membership | NoProcess
    is: string
  }[] = [
    { what: 'has its number, cgroup and mount namespace', containers: [ended, next], record: {}, is: 'b' },
    { what: 'has left its mount namespace', containers: [next], record: { mntNsID: 999 }, is: 'b' },
    { what: 'has a cgroup below its own', containers: [next], record: { cgroup: 999n }, is: 'b' },
    { what: 'has done both', containers: [next], record: { cgroup: 999n, mntNsID: 999 }, is: 'b' },
    {
      what: 'is known by no cgroup, under version 1',
      containers: [without('cgroupID')],
      record: { cgroup: 1n },
      is: 'b',
    },
    {
      what: 'is known by no cgroup, under version 1, and has left its mount namespace',
      containers: [without('cgroupID', 'bpfSince')],
      record: { cgroup: 1n, mntNsID: 999 },
      is: 'b',
    },
    {
      what: 'has gone where another container is known to be, with its own number and cgroup',
      containers: [next, other],
      record: { mntNsID: 702 },
      is: 'b',
    },
    {
      what: 'has ended, and its number is another one’s by now',
      containers: [ended, next],
      record: { cgroup: 70n, mntNsID: 700, uptime: 99 },
      is: 'a',
    },
    {
      what: 'has ended and left its cgroup and mount namespace before, and its number is another one’s by now',
      containers: [ended, next],
      record: { cgroup: 999n, mntNsID: 999, uptime: 99 },
      is: 'process-gone',
    },
    {
      what: 'has ended and is forgotten, and its number is another one’s by now',
      containers: [next],
      record: { cgroup: 70n, mntNsID: 700, uptime: 99 },
      is: 'process-gone',
    },
    {
      what: 'has ended and is forgotten, and its number and mount namespace are another one’s by now',
      containers: [next],
      record: { cgroup: 70n, uptime: 99 },
      is: 'process-gone',
    },
    {
      what: 'is told by its start alone from the one that had the number before',
      containers: [{ ...without('bpfSince'), initStart: 20_000 }],
      record: { cgroup: 70n, mntNsID: 700, uptime: 99 },
      is: 'process-gone',
    },
    {
      what: 'had the number before another container that has it since an unknown time',
      containers: [ended, without('bpfSince')],
      record: { cgroup: 70n, mntNsID: 700 },
      is: 'a',
    },
    {
      what: 'may be an unknown container: its cgroup, its mount namespace and the start of its number are unknown',
      containers: [without('bpfSince')],
      record: { cgroup: 999n, mntNsID: 999 },
      is: 'container-mismatch',
    },
    {
      what: 'is confirmed by its living process where nothing else is known',
      containers: [without('bpfSince')],
      record: { cgroup: 999n, mntNsID: 999 },
      process: { containerID: next.containerID, mntNsID: 999, since: 0 },
      is: 'b',
    },
    {
      what: 'is in the cgroup of a container with another number, which is blamed for nothing',
      containers: [next, other],
      record: { cgroup: 72n },
      process: { containerID: other.containerID, mntNsID: 702, since: 0 },
      is: 'container-mismatch',
    },
    {
      what: 'is in the cgroup and mount namespace of a container with another number',
      containers: [next, other],
      record: { cgroup: 72n, mntNsID: 702 },
      is: 'container-mismatch',
    },
    {
      what: 'has a cgroup below its own, and is in the mount namespace of another one',
      containers: [next, other],
      record: { cgroup: 999n, mntNsID: 702 },
      is: 'container-mismatch',
    },
    {
      what: 'has a number that is not known yet, in the cgroup of a container with another number',
      containers: [other],
      record: { cgroup: 72n },
      process: { containerID: other.containerID, mntNsID: 702, since: 0 },
      is: 'container-mismatch',
    },
    {
      what: 'had the number before all got others',
      containers: [{ ...other, bpfSince: 30_000 }],
      record: { cgroup: 72n },
      is: 'c',
    },
    {
      what: 'has a number, which the agent has not said yet',
      containers: [without('bpfNumber', 'bpfSince')],
      record: {},
      is: 'b',
    },
  ]
  for (const { what, containers, record, process = 'process-gone', is } of rows)
    it(`${is.length === 1 ? 'is named' : 'is not named'} that ${what}`, () => {
      const origin = { number: 5, cgroup: 71n, mntNsID: 701, pid: 500, uptime: 250, ...record }
      const resolver = { beginBatch: () => undefined, resolve: () => process }
      const found = attributeRecord(origin, origin.uptime, new Snapshot({ ...demo, containers }), resolver)
      expect(found.container?.info.podName ?? found.reason).to.equal(is)
      expect(found.mntNsID).to.equal(origin.mntNsID)
    })

  it('is waited for by its number, where it is not known yet', () => {
    const origin = { number: 5, cgroup: 999n, mntNsID: 999, pid: 500, uptime: 250 }
    const resolver = { beginBatch: () => undefined, resolve: () => 'process-gone' as const }
    const found = attributeRecord(origin, 250, new Snapshot(demo), resolver)
    expect(mayResolveLater(found)).to.equal(true)
    expect(found.waitsFor.filter((key) => keysOfContainer(next).includes(key))).to.deep.equal(['number 5'])
  })

  it('is found for each record of a batch, though what was found of one before holds for most', () => {
    const at = (uptime: number, more: object) =>
      makeRecord({
        ...{ kind: 'userns' as const, comm: 'x' },
        head: { ...demoHead, container: 5, time: BigInt(uptime) * 1_000_000_000n, ...more },
      })
    const its = { cgroup: 71, mnt_ns: 701 }
    const before = { cgroup: 70, mnt_ns: 700 }
    const batch = Buffer.concat([
      ...[
        at(250, its),
        at(250, its),
        at(99, before),
        at(251, { ...its, cgroup: 999 }),
        at(99, { ...its, cgroup: 999 }),
      ],
      ...[at(251, { ...its, mnt_ns: 702, cgroup: 72 }), at(252, its)],
    ])
    const snapshot = new Snapshot({ ...demo, containers: [ended, next, other] })
    const given = { source: 'test', seq: 1, format: 'record' as const, bytes: new Uint8Array(batch), final: true }
    const { output } = processBatch(given, snapshot, demoProcesses, new Scratch())
    const lines = linesOf(output).map((line) => JSON.parse(line) as { podName: string; unresolved?: string })
    expect(lines.map(({ podName, unresolved }) => podName || unresolved)).to.deep.equal([
      ...['b', 'b', 'a', 'b', 'container-unknown'],
      ...['container-mismatch', 'b'],
    ])
  })
})
