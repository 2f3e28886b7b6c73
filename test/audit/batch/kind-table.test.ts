import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { node } from '../../../bench/audit/made-up.ts'
import { KindPrefix, KindTable } from '../../../src/audit/batch/kind-table.ts'
import { ProfileHead } from '../../../src/audit/encode/event-head.ts'
import { type KnownContainer, Snapshot } from '../../../src/audit/enrich/snapshot.ts'

/**
 * The table's hash does not mix the highest bits of words for any seed, so names that differ only in these bits get few
 * different hashes.
 */
const ofOneHash = (container: number, number: number): string => {
  const differs = Array.from({ length: 8 }, (_, bit) => `/ax${(number >> bit) & 1 ? 'a' : '!'}`)
  return `${differs.join('')}${String(container).padStart(4, '0')}`
}

describe('KindTable', () => {
  for (const random of [0, 0.3, 0.7])
    it(`keeps the first eight kinds of each container, whatever names others make up (hashes begin with ${random})`, () => {
      const [quiet, floods] = [100, 32]
      const made = node(floods + quiet)
      const snapshot = new Snapshot(made)
      const table = new KindTable(false, random)
      const [head, prefix] = [new ProfileHead('varmor-a', undefined), new KindPrefix('open')]
      table.begin(1, true)
      const count = (container: KnownContainer, name: string): void => {
        const bytes = Buffer.from(name)
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        table.count(container, container, head, 1, prefix, bytes, view, 0, bytes.length, 0)
      }
      const containers = made.containers.map(({ containerID }) => snapshot.container(containerID)!)
      for (const [number, container] of containers.entries()) {
        if (number < floods) for (let i = 0; i < 256; i++) count(container, ofOneHash(number, i))
        else for (let i = 0; i < 8; i++) count(container, `/etc/file-${i}`)
      }
      const { containers: ids, others } = table.take()
      const left = new Map(ids.map((id, i) => [id, others[i]!]))
      const victims = containers.slice(floods).map(({ info }) => left.get(info.containerID))
      expect(victims).to.deep.equal(Array(quiet).fill(0))
    })

  it('keeps events apart whose profiles or ways of counting differ in nothing else, up to a container’s bound', () => {
    const made = node(1)
    const container = new Snapshot(made).container(made.containers[0]!.containerID)!
    const table = new KindTable(false)
    table.begin(1, true)
    const bytes = Buffer.from('/etc/shadow')
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const heads = Array.from({ length: 32 }, (_, number) => new ProfileHead(`varmor-${number}`, undefined))
    const prefixes = Array.from({ length: 8 }, (_, number) => new KindPrefix(`record ${number} `))
    for (const head of heads)
      for (const prefix of prefixes) table.count(container, container, head, 1, prefix, bytes, view, 0, bytes.length, 0)
    const { keys, others } = table.take()
    expect({ kinds: new Set(keys).size, others }).to.deep.equal({ kinds: 256, others: [0] })
  })

  it('has a bounded number of rows, and counts the events of further containers together', () => {
    const made = node(1_200)
    const snapshot = new Snapshot(made)
    const table = new KindTable(false, 0.3)
    const [head, prefix] = [new ProfileHead('varmor-a', undefined), new KindPrefix('open')]
    table.begin(1, true)
    let all = 0
    for (const [number, { containerID }] of made.containers.entries()) {
      const container = snapshot.container(containerID)!
      for (let i = 0; i < (number < 32 ? 256 : 8); i++, all++) {
        const bytes = Buffer.from(`/tmp/${number}-${i}`)
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        table.count(container, container, head, 1, prefix, bytes, view, 0, bytes.length, 0)
      }
    }
    const { keys, events, others } = table.take()
    const sum = (counts: Iterable<number>): number => [...counts].reduce((before, count) => before + count, 0)
    expect(keys.length).to.equal(16_384)
    expect(sum(events) + sum(others)).to.equal(all)
  })

  it('has room for new kinds in each minute, of containers that keep their places', () => {
    const made = node(1)
    const container = new Snapshot(made).container(made.containers[0]!.containerID)!
    const table = new KindTable(false)
    const [head, prefix] = [new ProfileHead('varmor-a', undefined), new KindPrefix('open')]
    const counted = (minute: number, changed: boolean) => {
      const moved = table.begin(minute, changed)
      const place = table.placeOf(container, container)
      for (let number = 0; number < 300; number++) {
        const bytes = Buffer.from(`/tmp/${minute}-${number}`)
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        table.count(container, container, head, 1, prefix, bytes, view, 0, bytes.length, number)
      }
      const { containers, keys, others, otherLines } = table.take()
      return { moved, place, containers, kinds: keys.length, last: keys.at(-1)!.slice(-5), others, otherLines }
    }
    const rest = {
      place: 0,
      containers: [made.containers[0]!.containerID],
      kinds: 256,
      others: [44],
      otherLines: [256],
    }
    expect(counted(1, true)).to.deep.equal({ moved: true, last: '1-255', ...rest })
    expect(counted(2, false)).to.deep.equal({ moved: false, last: '2-255', ...rest })
    expect(counted(3, true)).to.deep.equal({ moved: true, last: '3-255', ...rest })
  })
})
