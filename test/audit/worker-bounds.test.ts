import { expect } from 'chai'
import type { BatchResult } from '../../src/audit/batch/batch.ts'
import { MinuteCounts, maxProfiles } from '../../src/audit/digest/minute-counts.ts'
import { ProfileHeads } from '../../src/audit/encode/event-head.ts'
import type { Snapshot } from '../../src/audit/enrich/snapshot.ts'
import { ProfileRecording, Recordings } from '../../src/audit/model/recorded.ts'

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
