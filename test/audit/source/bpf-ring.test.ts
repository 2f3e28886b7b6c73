import { expect } from 'chai'
import { header } from '../../../src/audit/decode/bpf-record.ts'
import { BpfRingSource } from '../../../src/audit/source/bpf-ring.ts'
import type { NativeRing, NativeRingStats, RingAddon, RingOptions } from '../../../src/audit/source/ring-addon.ts'

/** Records of these sizes, one behind the other; only their length matters here. */
function records(...sizes: number[]): Uint8Array {
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  let at = 0
  for (const size of sizes) {
    new DataView(bytes.buffer).setUint32(at, size, true)
    at += size
  }
  return bytes
}

/** What is pinned in one folder: it outlives the rings that are opened on it. */
interface Pinned {
  batches: Uint8Array[]
  counters: { ringFull: number; noScratch: number; taken: number; written: number; ringFullNoted: number }
}

interface Opened {
  pinned: Pinned
  wake: () => void
  stopped: boolean
  closed: boolean
  records: number
}

class FakeRings implements RingAddon {
  readonly folders = new Map<string, Pinned>()
  readonly opened: Opened[] = []

  folder(name: string): Pinned {
    const counters = { ringFull: 0, noScratch: 0, taken: 0, written: 0, ringFullNoted: 0 }
    if (!this.folders.has(name)) this.folders.set(name, { batches: [], counters })
    return this.folders.get(name)!
  }

  openRing({ folder }: RingOptions, wake: () => void): NativeRing {
    const pinned = this.folders.get(folder)
    if (pinned === undefined) throw Object.assign(new Error('No such file'), { step: 'ring', errno: 2 })
    this.opened.push({ pinned, wake, stopped: false, closed: false, records: 0 })
    return (this.opened.length - 1) as unknown as NativeRing
  }

  read(ring: NativeRing, into: Uint8Array): number {
    const opened = this.#of(ring)
    const batch = opened.pinned.batches.shift()
    if (batch === undefined) return 0
    into.set(batch)
    return batch.length
  }

  stop(ring: NativeRing): void {
    this.#of(ring).stopped = true
    this.#of(ring).wake()
  }

  ended(ring: NativeRing): boolean {
    const { stopped, closed, pinned } = this.#of(ring)
    return closed || (stopped && pinned.batches.length === 0)
  }

  close(ring: NativeRing): void {
    this.#of(ring).closed = true
  }

  ringStats(ring: NativeRing): NativeRingStats {
    const { pinned, records: count } = this.#of(ring)
    return { records: count, malformed: 0, discarded: 0, stalls: 0, ...pinned.counters }
  }

  note(ring: NativeRing, { written, ringFull }: { written: number; ringFull: number }): void {
    Object.assign(this.#of(ring).pinned.counters, { written, ringFullNoted: ringFull })
  }

  /** The thread has read a batch. */
  give(folder: string, batch: Uint8Array, count: number): void {
    const pinned = this.folder(folder)
    pinned.batches.push(batch)
    pinned.counters.taken += count
    for (const one of this.opened) if (one.pinned === pinned) one.wake()
  }

  #of(ring: NativeRing): Opened {
    return this.opened[ring as unknown as number]!
  }
}

describe('the ring of BPF records', () => {
  const size = header.size
  const none = { ringFull: 0, noMemory: 0, unwritten: 0, malformed: 0, discarded: 0 }
  const world = () => {
    const addon = new FakeRings()
    addon.folder('/f')
    const now = { folder: '/f' }
    const open = () => new BpfRingSource({ folder: () => now.folder, addon })
    return { addon, open, move: (folder: string) => void Object.assign(now, { folder }) }
  }

  it('gives its batches with the number of records that were ever taken', async () => {
    const { addon, open } = world()
    const source = open()
    addon.give('/f', records(size, size + 9), 2)
    addon.give('/f', records(size), 1)
    source.stop()
    const batches = []
    for await (const batch of source) batches.push(batch)
    expect(batches.map(({ bytes }) => bytes.length)).to.deep.equal([2 * size + 9, size])
    expect(batches.map(({ position, seq }) => [position, seq])).to.deep.equal([
      [2, 0],
      [3, 1],
    ])
    expect(batches[0]).to.include({ source: 'bpf', format: 'record' })
  })

  it('wakes a reader that waits', async () => {
    const { addon, open } = world()
    const source = open()
    const next = source[Symbol.asyncIterator]().next()
    addon.give('/f', records(size), 1)
    expect((await next).value?.bytes.length).to.equal(size)
    source.close()
  })

  it('says of the agent before it how many records it had taken that are in no log', async () => {
    const { addon, open } = world()
    const before = open()
    addon.give('/f', records(size, size, size), 3)
    for await (const { position } of before) {
      before.written(position)
      break
    }
    addon.give('/f', records(size, size), 2)
    addon.folder('/f').batches.length = 0
    // Killed here: two were taken, and are nowhere.
    const after = open()
    expect(after.stats().dropped).to.deep.equal({ ...none, unwritten: 2 })
    expect(after.position).to.equal(5)
  })

  it('counts what found no room since the last agent said so, and says it once', () => {
    const { addon, open } = world()
    addon.folder('/f').counters.ringFull = 4
    const first = open()
    expect(first.stats().dropped).to.deep.equal({ ...none, ringFull: 4 })
    first.written(0)
    addon.folder('/f').counters.ringFull = 5
    expect(first.stats().dropped.ringFull).to.equal(5)
    expect(open().stats().dropped.ringFull).to.equal(1)
  })

  it('goes on with the ring of programs that were loaded anew, when it has read the old one', async () => {
    const { addon, open, move } = world()
    addon.folder('/g')
    const source = open()
    addon.give('/f', records(size), 1)
    addon.folder('/f').counters.ringFull = 2
    move('/g')
    source.stats()
    addon.give('/g', records(size, size), 2)
    const lengths: number[] = []
    for await (const { bytes } of source) {
      lengths.push(bytes.length)
      if (lengths.length === 2) source.stop()
    }
    expect(lengths).to.deep.equal([size, 2 * size])
    addon.folder('/g').counters.ringFull = 1
    expect(source.stats().dropped.ringFull).to.equal(3)
    expect(addon.opened.map(({ closed }) => closed)).to.deep.equal([true, true])
  })

  it('says that it cannot be opened', () => {
    const { open, move } = world()
    move('/none')
    expect(open).to.throw().with.property('code', 'SYSTEM')
  })
})
