import { expect } from 'chai'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed, type SnapshotUpdate } from '../../../src/audit/enrich/snapshot-feed.ts'
import { KnownProcesses } from '../../../src/audit/pool/known-processes.ts'
import { ProcessLog, type SeenProcess } from '../../../src/audit/pool/process-log.ts'
import { demo } from '../harness.ts'

const [container] = demo.containers
const [policy] = demo.policies

function take(update: SnapshotUpdate | undefined, snapshot?: Snapshot): Snapshot {
  if (update === undefined) return snapshot!
  if ('whole' in update) return new Snapshot(update.whole)
  for (const delta of update.deltas) expect(snapshot?.apply(delta)).to.equal(true)
  return snapshot!
}

describe('the snapshot feed', () => {
  it('brings a worker up to date from any version, by steps while they are kept', () => {
    const feed = new SnapshotFeed(demo)
    let follower = take(feed.since(undefined))
    expect(feed.since(follower.version)).to.equal(undefined)
    for (let step = 0; step < 5; step++) feed.update({ containers: [{ ...container!, image: `i${step}` }] })
    expect(feed.since(3)).to.have.property('deltas').with.length(3)
    follower = take(feed.since(follower.version), follower)
    expect(follower.container(container!.containerID)?.info.image).to.equal('i4')
    for (let step = 0; step < 300; step++) feed.update({ policies: [{ ...policy!, name: `p${step}` }] })
    expect(feed.since(1)).to.have.property('whole')
    expect(take(feed.since(1)).policy(policy!.profileName)?.name).to.equal('p299')
  })

  it('forgets what is taken out', () => {
    const feed = new SnapshotFeed(demo)
    feed.update({ withoutContainers: [container!.containerID], withoutPolicies: [policy!.profileName] })
    const snapshot = take(feed.since(undefined))
    expect(snapshot.container(container!.containerID)).to.equal(undefined)
    expect(snapshot.policy(policy!.profileName)).to.equal(undefined)
    expect([feed.version, snapshot.version]).to.deep.equal([2, 2])
  })
})

describe('what workers share about processes', () => {
  const at = (since: number, containerID = 'c'): { containerID: string; mntNsID: number; since: number } => ({
    containerID,
    mntNsID: 1,
    since,
  })

  it('is shared once, only of containers, and of the younger of two processes with one number', () => {
    const notes = new KnownProcesses()
    const living = new Map([
      [1, at(10, '')],
      [2, at(10)],
    ])
    const read = notes.watch(
      (pid) => living.get(pid),
      () => 50,
    )
    for (const pid of [1, 2, 3, 2]) read(pid)
    expect(notes.take()).to.deep.equal([[2, { ...at(10), confirmed: 50 }]])
    living.set(2, at(20, 'd'))
    read(2)
    expect(notes.take()).to.deep.equal([[2, { ...at(20, 'd'), confirmed: 50 }]])
    expect(notes.isNew(2, at(10))).to.equal(false)
    expect(notes.isNew(2, at(20, 'd'))).to.equal(false)
    expect(notes.isNew(2, at(30))).to.equal(true)
  })

  it('is bounded', () => {
    const notes = new KnownProcesses(2)
    for (const pid of [1, 2, 3]) notes.isNew(pid, at(1))
    expect([notes.isNew(1, at(1)), notes.isNew(3, at(1))]).to.deep.equal([true, false])
    const log = new ProcessLog(3)
    const seenProcesses = (from: number, count: number): SeenProcess[] =>
      Array.from({ length: count }, (_, i) => [from + i, at(0)])
    log.add(seenProcesses(0, 2))
    expect(log.since(1).map(([pid]) => pid)).to.deep.equal([1])
    log.add(seenProcesses(2, 20))
    expect(log.version).to.equal(22)
    expect(log.since(0).map(([pid]) => pid)).to.deep.equal([19, 20, 21])
    expect(log.since(22)).to.deep.equal([])
  })
})
