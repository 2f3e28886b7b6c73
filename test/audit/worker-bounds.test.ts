import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { BatchResult } from '../../src/audit/batch/batch.ts'
import { Scratch } from '../../src/audit/batch/scratch.ts'
import { MinuteCounts, maxProfiles } from '../../src/audit/digest/minute-counts.ts'
import { ProfileHeads } from '../../src/audit/encode/event-head.ts'
import { ProcessFactsReader } from '../../src/audit/enrich/process-facts.ts'
import type { Snapshot } from '../../src/audit/enrich/snapshot.ts'
import { ProfileRecording, Recordings } from '../../src/audit/model/recorded.ts'
import { KnownProcesses } from '../../src/audit/pool/known-processes.ts'

describe('what a worker remembers', () => {
  it('is a bounded number of heads of events, and a head that went is made again', () => {
    const snapshot = { policy: () => undefined } as unknown as Snapshot
    const heads = new ProfileHeads()
    const first = heads.get('p0', snapshot)
    for (let i = 1; i < 4_096; i++) heads.get(`p${i}`, snapshot)
    expect(heads.get('p0', snapshot), 'there is room').to.equal(first)
    heads.get('one more', snapshot)
    const again = heads.get('p0', snapshot)
    expect(again).to.not.equal(first)
    expect(again.profileName).to.equal('p0')
  })

  it('is a bounded number of processes that other workers know, without the oldest', () => {
    const known = new KnownProcesses()
    const isNew = (pid: number): boolean => known.isNew(pid, { containerID: 'c', mntNsID: 1, since: 0 })
    for (let pid = 1; pid <= 65_536; pid++) isNew(pid)
    expect([isNew(1), isNew(65_536)], 'there is room').to.deep.equal([false, false])
    expect(isNew(65_537)).to.equal(true)
    expect([isNew(65_537), isNew(2), isNew(1)]).to.deep.equal([false, false, true])
  })

  it('is a bounded number of processes with facts, without the oldest', () => {
    const root = mkdtempSync(join(tmpdir(), 'varmor-proc-'))
    try {
      const stat = `1 (sh) S 0 ${'0 '.repeat(17)}77`
      mkdirSync(join(root, '1'))
      writeFileSync(join(root, '1/stat'), stat)
      for (let pid = 2; pid <= 8_193; pid++) symlinkSync('1', join(root, String(pid)))
      const facts = new ProcessFactsReader({ root, now: () => 0 })
      const read = (pid: number) => facts.read(pid, stat, 0)
      const [first, second] = [read(1), read(2)]
      for (let pid = 3; pid <= 8_192; pid++) read(pid)
      expect([read(1) === first, read(2) === second], 'there is room').to.deep.equal([true, true])
      read(8_193)
      expect([read(2) === second, read(1) === first]).to.deep.equal([true, false])
      expect(read(1)).to.deep.equal(first)
    } finally {
      rmSync(root, { recursive: true })
    }
  }).timeout(60_000)

  it('is a bounded number of facts of a profile: beyond it, all come again', () => {
    const recording = new ProfileRecording('p', 'r')
    for (let i = 0; i < 65_536; i++) recording.note(`f${i}`)
    expect(recording.knows('f0')).to.equal(true)
    recording.note('one more')
    expect([recording.knows('f0'), recording.knows('one more')]).to.deep.equal([false, true])
    expect(recording.characters).to.equal('one more'.length)
  })

  it('is a bounded number of profiles that are recorded, and what was found of each is taken', () => {
    const recordings = new Recordings()
    const first = recordings.of('p0', 'r')
    for (let i = 1; i < 1_024; i++) recordings.of(`p${i}`, 'r').records++
    expect(recordings.of('p0', 'r'), 'there is room').to.equal(first)
    first.records++
    recordings.of('one more', 'r').records++
    expect(recordings.of('p0', 'r')).to.not.equal(first)
    expect(recordings.take()).to.have.length(1_025)
  })

  it('is a bounded number of characters of facts: beyond it, all come again', () => {
    const recordings = new Recordings()
    const name = 'x'.repeat(4_096)
    const records = [recordings.of('p0', 'r'), recordings.of('p1', 'r')]
    const fill = (from: number, to: number): void => {
      for (let i = from; i < to; i++) records[i % 2]!.note(`${name}${String(i).padStart(4, '0')}`)
      for (const one of records) recordings.of(one.profileName, 'r').records++
      recordings.take()
    }
    const sum = () => records.reduce((all, { characters }) => all + characters, 0)
    fill(0, 4_092)
    expect(sum(), 'there is room').to.equal(4_092 * 4_100)
    fill(4_092, 4_093)
    expect(sum()).to.equal(0)
    expect(records[0]!.knows(`${name}0000`)).to.equal(false)
  })

  it('is a bounded number of holders of records that wait in a batch: further ones wait together, none is lost', () => {
    const scratch = new Scratch()
    const count = 1_000
    for (let i = 0; i < 2 * count; i++) {
      const holder = `container ${i % count}`
      scratch.defer({ holder, reason: 'pid-reused', recorded: false }, [i], 2 * i, 2 * i + 2)
    }
    const deferred = scratch.takeDeferred(new Uint8Array(4 * count), 'record')
    expect(deferred).to.have.length(257)
    expect(deferred.filter(({ holder }) => holder === '').map(({ records }) => records)).to.deep.equal([
      2 * (count - 256),
    ])
    expect(deferred.reduce((sum, { records }) => sum + records, 0)).to.equal(2 * count)
  })

  it('is a bounded number of profiles with counts in a minute: further ones are counted together', () => {
    const ids = Array.from({ length: 3 * maxProfiles }, (_, i) => `profile p${i}`)
    const lines = ids.map((id) => `${JSON.stringify({ containerID: id })}\n`)
    const output = Buffer.from(lines.join(''))
    const otherLines = lines.map((line) => output.indexOf(line))
    const none = { keys: [], owners: new Uint32Array(), events: new Uint32Array(), lines: new Uint32Array() }
    const part = { ...none, containers: ids, others: ids.map(() => 1), otherLines, lineKinds: undefined }
    const counts = new MinuteCounts()
    counts.add({ output, kinds: [{ start: 0, counts: part }] } as unknown as BatchResult, () => undefined)
    const all = [...counts.containers]
    expect(all).to.have.length(maxProfiles + 1)
    expect(all.reduce((sum, { other }) => sum + other, 0)).to.equal(ids.length)
  })
})
