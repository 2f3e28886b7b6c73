import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import fc from 'fast-check'
import { Collector } from '../../../actors/modeller/collector.ts'
import { NodeQuota } from '../../../actors/modeller/node-room.ts'
import { OwnRecording } from '../../../actors/modeller/recording.ts'
import { asWall } from '../../../src/base/clock.ts'
import type { Quota } from '../../../src/model/behaviour/room.ts'

const MIB = 1024 * 1024
const recordingIn = (node: NodeQuota, key: string): OwnRecording =>
  new OwnRecording('uid 1', asWall(0), false, new Collector(node.begin(key)))

/** Records a workload that accesses 18,400 files with names of 245 bytes. No directory reaches its limit. */
function fill(recording: OwnRecording, of: number): void {
  for (let d = 0; d < 4_600; d++) {
    const directory = `/srv/${of}/${[...d.toString(4).padStart(6, '0')].join('/')}`
    const paths = ['a', 'b', 'c', 'd'].map((name) => `${directory}/${name.repeat(245)}`)
    recording.add({ appArmor: { files: paths.map((path) => ({ path, owner: true, permissions: ['r', 'w'] })) } }, 4, 0)
    recording.add({ bpf: { files: paths.map((path) => ({ path, permissions: ['read', 'write'] })) } }, 4, 0)
  }
}
const files = Array.from({ length: 500 }, (_, i) => ({
  path: `/usr/lib/service/part-${i % 20}/${i}.so`,
  permissions: ['r'],
}))
const leftOutOf = (recording: OwnRecording): string[] => recording.summary().leftOut.map(({ kind }) => kind)

describe('the quota of a node for recordings', function () {
  this.timeout(300_000)
  const collect = () => {
    setFlagsFromString('--expose-gc')
    ;(runInNewContext('gc') as () => void)()
    return process.memoryUsage().heapUsed
  }

  for (const [what, namespaceOf] of [
    ['of ten namespaces', (i: number) => `greedy-${i}`],
    ['of one namespace', () => 'greedy'],
  ] as const)
    it(`holds ten recordings with long names, ${what}, says what it drops, and keeps a small recording whole`, () => {
      const before = collect()
      const node = new NodeQuota()
      const all = Array.from({ length: 10 }, (_, i) => {
        const recording = recordingIn(node, `${namespaceOf(i)}/varmor-${i}`)
        fill(recording, i)
        return recording
      })
      expect(node.taken).to.be.at.most(48 * MIB)
      expect(collect() - before).to.be.lessThan(60 * MIB)
      const sums = all.reduce((sum, { bytes }) => sum + bytes, 0)
      expect(sums).to.equal(node.taken)
      for (const recording of all) expect(leftOutOf(recording)).to.include('files')
      const stored = all.reduce((sum, one) => sum + Buffer.byteLength(JSON.stringify(one.stored())), 0)
      expect(stored).to.be.lessThan(60 * MIB)

      const small = recordingIn(node, 'demo/varmor-web')
      small.add({ appArmor: { files } }, 500, 0)
      expect(leftOutOf(small)).to.deep.equal([])
      expect(small.stored().behaviour.result.appArmor?.files).to.have.length(500)
    })

  it('is free again when a recording restarts or is deleted', () => {
    const node = new NodeQuota()
    fill(recordingIn(node, 'demo/varmor-web'), 1)
    expect(node.taken).to.be.greaterThan(4 * MIB)
    const again = recordingIn(node, 'demo/varmor-web')
    expect(node.taken).to.equal(0)
    again.add({ seccomp: { syscalls: ['openat'] } }, 1, 0)
    expect(node.taken).to.be.greaterThan(0)
    node.end('demo/varmor-web')
    expect(node.taken).to.equal(0)
    again.add({ seccomp: { syscalls: ['read'] } }, 1, 0)
    expect(node.taken, 'of one that is over').to.equal(0)
  })

  it('accepts its earlier recordings again, in any order', () => {
    const before = new NodeQuota()
    const keys = ['a/x', 'b/x', 'c/x', 'd/x']
    const stored = keys.map((key, i) => {
      const recording = recordingIn(before, key)
      fill(recording, i)
      return { key, stored: recording.stored() }
    })
    const node = new NodeQuota()
    for (const { key, stored: one } of stored.reverse()) {
      const again = node.restoring(() => OwnRecording.of(one, new Collector(node.begin(key))))
      const { appArmor, bpf } = again.stored().behaviour.result
      // With another order of records, a workload at its own limit may keep one file fewer.
      expect(appArmor?.files?.length, key).to.be.at.least((one.behaviour.result.appArmor?.files?.length ?? 0) - 1)
      expect(bpf?.files?.length, key).to.be.at.least((one.behaviour.result.bpf?.files?.length ?? 0) - 1)
    }
  })

  it('is never exceeded, gives no namespace more than a quarter, and is free again after each deletion', () => {
    const step = fc.record({ of: fc.nat(5), bytes: fc.integer({ min: 1, max: 300 }), gives: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const node = new NodeQuota(4_000, 50)
        const rooms = Array.from({ length: 6 }, (_, i): { room: Quota; had: number[] } => ({
          ...{ room: node.begin(`${i >>> 1}/${i}`), had: [] },
        }))
        for (const { of, bytes, gives } of steps) {
          const { room, had } = rooms[of]!
          if (gives) room.give(had.pop() ?? 0)
          else if (room.take(bytes)) had.push(bytes)
        }
        const sums = rooms.map(({ had }) => had.reduce((sum, one) => sum + one, 0))
        expect(node.taken)
          .to.equal(sums.reduce((sum, one) => sum + one, 0))
          .and.to.be.at.most(4_000)
        for (const at of [0, 2, 4]) expect(sums[at]! + sums[at + 1]!).to.be.at.most(1_000)
        expect(node.begin('new/x').take(50), 'one that is small').to.equal(true)
      }),
    )
  })
})
