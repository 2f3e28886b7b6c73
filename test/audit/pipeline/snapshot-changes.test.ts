import { expect } from 'chai'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { SnapshotChanges } from '../../../src/audit/pipeline/snapshot-changes.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { demo } from '../harness.ts'

describe('news of containers and processes', () => {
  const make = () => {
    const [feed, log] = [new SnapshotFeed(demo), new ProcessLog(4)]
    return { feed, log, reader: new SnapshotChanges(feed, log) }
  }
  const seen = (pid: number) => [pid, { containerID: 'c', mntNsID: 1, since: 0 }] as const

  it('are what came since the last look: pids, and all by which a record may know a container', () => {
    const { feed, log, reader } = make()
    expect(reader.take()).to.deep.equal([])
    log.add([seen(5), seen(6)])
    const one = { ...demo.containers[0]!, containerID: 'new', initPid: 70, mntNsID: 80, cgroupID: 90n }
    feed.update({ containers: [one] })
    expect(reader.take()).to.deep.equal(['new', 70, 'cgroup 90', 'mnt 80', 5, 6])
    expect(reader.take()).to.deep.equal([])
  })

  it('are none when a container or policy is removed or a policy is added, because no record waits for that', () => {
    const { feed, reader } = make()
    feed.update({ withoutContainers: ['x'], policies: demo.policies })
    expect(reader.take()).to.deep.equal([])
  })

  const forgetting: { what: string; many: (world: ReturnType<typeof make>) => void }[] = [
    { what: 'processes', many: ({ log }) => log.add(Array.from({ length: 9 }, (_, i) => seen(i + 1))) },
    {
      what: 'changes of containers',
      many: ({ feed }) => {
        for (let i = 0; i < 300; i++) feed.update({ containers: demo.containers })
      },
    },
  ]
  for (const { what, many } of forgetting)
    it(`say so when more ${what} came than are kept`, () => {
      const world = make()
      many(world)
      expect(world.reader.take()).to.equal('all')
      expect(world.reader.take()).to.deep.equal([])
    })
})
