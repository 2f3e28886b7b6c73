import { expect } from 'chai'
import { header, recordKinds } from '../../../src/audit/decode/bpf-record.ts'
import { recordId } from '../../../src/audit/encode/line-id.ts'
import { BpfRingSource } from '../../../src/audit/source/bpf-ring.ts'
import type {
  NativeMaps,
  NativeRing,
  NativeRingStats,
  RingAddon,
  RingOptions,
} from '../../../src/audit/source/ring-addon.ts'
import { WrittenRecords } from '../../../src/audit/source/written-records.ts'

/** Consecutive records of these sizes; only their length matters here. */
function records(...sizes: number[]): Uint8Array {
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  let at = 0
  for (const size of sizes) {
    new DataView(bytes.buffer).setUint32(at, size, true)
    at += size
  }
  return bytes
}

/** The pinned objects of one folder, which outlive the rings that are opened on them. */
interface Pinned {
  id: number
  /** Batches, each with the position after it. */
  batches: { bytes: Uint8Array; position: number }[]
  /** Positions of the next record to write, and of the first record that is not done. */
  produced: number
  done: number
  counters: { ringFull: number; noScratch: number; ringFullNoted: number; noScratchNoted: number; heldBack: number }
  /** Held-back records by container and kind, in hex. */
  held: Map<string, number>
  noted: Map<string, number>
}

interface Opened {
  pinned: Pinned
  wake: () => void
  stopped: boolean
  closed: boolean
  /** Position after the last read record. */
  position: number
}

class FakeRings implements RingAddon {
  readonly folders = new Map<string, Pinned>()
  readonly opened: Opened[] = []

  folder(name: string): Pinned {
    const counters = { ringFull: 0, noScratch: 0, ringFullNoted: 0, noScratchNoted: 0, heldBack: 0 }
    const maps = { held: new Map<string, number>(), noted: new Map<string, number>() }
    if (!this.folders.has(name))
      this.folders.set(name, { id: this.folders.size + 1, batches: [], produced: 0, done: 0, counters, ...maps })
    return this.folders.get(name)!
  }

  openRing({ folder, from }: RingOptions, wake: () => void): NativeRing {
    const pinned = this.folders.get(folder)
    if (pinned === undefined) throw Object.assign(new Error('No such file'), { step: 'ring', errno: 2 })
    if (from.id === pinned.id && from.position <= pinned.produced) pinned.done = Math.max(pinned.done, from.position)
    this.opened.push({ pinned, wake, stopped: false, closed: false, position: pinned.done })
    return (this.opened.length - 1) as unknown as NativeRing
  }

  read(ring: NativeRing, into: Uint8Array): number {
    const opened = this.#of(ring)
    const batch = next(opened)
    if (batch === undefined) return 0
    into.set(batch.bytes)
    opened.position = batch.position
    return batch.bytes.length
  }

  stop(ring: NativeRing): void {
    this.#of(ring).stopped = true
    this.#of(ring).wake()
  }

  ended(ring: NativeRing): boolean {
    const opened = this.#of(ring)
    return opened.closed || (opened.stopped && next(opened) === undefined)
  }

  close(ring: NativeRing): void {
    this.#of(ring).closed = true
  }

  ringStats(ring: NativeRing): NativeRingStats {
    return { id: this.#of(ring).pinned.id, records: 0, malformed: 0, stalls: 0, ...this.#of(ring).pinned.counters }
  }

  taken(ring: NativeRing): number {
    return this.#of(ring).position
  }

  done(ring: NativeRing, { position, ringFull, noScratch }: { position: number; ringFull: number; noScratch: number }) {
    const { pinned } = this.#of(ring)
    pinned.done = Math.max(pinned.done, position)
    Object.assign(pinned.counters, { ringFullNoted: ringFull, noScratchNoted: noScratch })
  }

  open(folder: string): NativeMaps {
    return folder as unknown as NativeMaps
  }

  entries(maps: NativeMaps, map: string): Uint8Array {
    const { held, noted } = this.folder(maps as unknown as string)
    const isHeld = map === 'varmor_buckets'
    return Buffer.concat(
      Array.from(isHeld ? held : noted, ([key, count]) =>
        Buffer.concat([Buffer.from(key, 'hex'), ...(isHeld ? [u64(0)] : []), u64(count)]),
      ),
    )
  }

  async write(maps: NativeMaps, writes: readonly { map: string; key: Uint8Array; value: Uint8Array }[]) {
    for (const { map, key, value } of writes) {
      expect(map).to.equal('varmor_held_noted')
      const count = Number(Buffer.from(value).readBigUInt64LE())
      this.folder(maps as unknown as string).noted.set(Buffer.from(key).toString('hex'), count)
    }
  }

  /** Simulates records that the programs hold back. */
  hold(folder: string, container: number, kind: number, count: number): void {
    const { held, counters } = this.folder(folder)
    const key = Buffer.from(Uint32Array.of(container, kind).buffer).toString('hex')
    held.set(key, (held.get(key) ?? 0) + count)
    counters.heldBack += count
  }

  /** Adds records of the programs as one batch. */
  give(folder: string, bytes: Uint8Array): void {
    const pinned = this.folder(folder)
    pinned.produced += bytes.length
    pinned.batches.push({ bytes, position: pinned.produced })
    for (const one of this.opened) if (one.pinned === pinned) one.wake()
  }

  #of(ring: NativeRing): Opened {
    return this.opened[ring as unknown as number]!
  }
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(number))
  return bytes
}

const next = ({ pinned, position }: Opened) => pinned.batches.find((batch) => batch.position > position)

describe('the ring of BPF records', () => {
  const size = header.size
  const none = { ringFull: 0, noMemory: 0, malformed: 0 }
  const world = () => {
    const addon = new FakeRings()
    addon.folder('/f')
    const now = { folder: '/f' }
    const open = () => new BpfRingSource({ folder: () => now.folder, addon })
    return { addon, open, move: (folder: string) => void Object.assign(now, { folder }) }
  }

  it('gives its batches with their positions', async () => {
    const { addon, open } = world()
    const source = open()
    addon.give('/f', records(size, size + 9))
    addon.give('/f', records(size))
    source.stop()
    const batches = []
    for await (const batch of source) batches.push(batch)
    expect(batches.map(({ bytes }) => bytes.length)).to.deep.equal([2 * size + 9, size])
    expect(batches.map(({ position, seq }) => [(position as { at: number }).at, seq])).to.deep.equal([
      [2 * size + 9, 0],
      [3 * size + 9, 1],
    ])
    expect(batches[0]).to.include({ source: 'bpf', format: 'record' })
  })

  it('wakes a reader that waits', async () => {
    const { addon, open } = world()
    const source = open()
    const reading = source[Symbol.asyncIterator]().next()
    addon.give('/f', records(size))
    expect((await reading).value?.bytes.length).to.equal(size)
    source.close()
  })

  it('gives the next agent what one that was killed had read, and not written', async () => {
    const { addon, open } = world()
    const before = open()
    addon.give('/f', records(size))
    addon.give('/f', records(size, size))
    const read: number[] = []
    for await (const { bytes, position } of before) {
      read.push(bytes.length)
      if (read.length === 1) before.written(position)
      if (read.length === 2) break
    }
    const after = open()
    after.stop()
    for await (const { bytes } of after) read.push(bytes.length)
    expect(read).to.deep.equal([size, 2 * size, 2 * size])
  })

  it('leaves out what the killed one had written and not noted, and says how far that is', async () => {
    const { addon } = world()
    const lines = new WrittenRecords('bpf-', () => Promise.resolve(new Set(ids)))
    const bytes = records(size, size)
    const ids = [recordId('bpf-', bytes, new DataView(bytes.buffer), 0, size)]
    addon.give('/f', bytes.slice(0, size))
    addon.give('/f', records(size + 1))
    const source = new BpfRingSource({ folder: () => '/f', addon, written: lines })
    source.stop()
    const read: unknown[] = []
    for await (const { bytes, position } of source) read.push([bytes.length, (position as { at: number }).at])
    expect(read).to.deep.equal([
      [0, size],
      [size + 1, 2 * size + 1],
    ])
    expect(lines.count).to.equal(1)
  })

  it('counts what found no room since the last agent said so, and says it once', () => {
    const { addon, open } = world()
    addon.folder('/f').counters.ringFull = 4
    const first = open()
    expect(first.stats().dropped).to.deep.equal({ ...none, ringFull: 4 })
    first.written(undefined, first.lossMark)
    addon.folder('/f').counters.ringFull = 5
    expect(first.stats().dropped.ringFull).to.equal(5)
    expect(open().stats().dropped.ringFull).to.equal(1)
  })

  it('says what the programs held back of each container and kind, and which of it an agent before has said', async () => {
    const { addon, open } = world()
    const first = open()
    expect(first.held()).to.deep.equal([])
    addon.hold('/f', 3, recordKinds.file.number, 7)
    addon.hold('/f', 3, recordKinds.exec.number, 1)
    addon.hold('/f', 4, recordKinds.file.number, 2)
    const held = first.held()
    expect(held.map(({ key: _, ...row }) => row)).to.deep.equal([
      { container: 3, operation: 'File', held: 7, noted: 0 },
      { container: 3, operation: 'Bprm', held: 1, noted: 0 },
      { container: 4, operation: 'File', held: 2, noted: 0 },
    ])
    expect(new Set(held.map(({ key }) => key)).size).to.equal(3)
    expect(first.stats().heldBack).to.equal(10)
    await first.noteHeld(held[0]!)
    expect(first.held()[0]).to.include({ held: 7, noted: 7 })
    expect(held[0], 'also in what was read before').to.include({ noted: 7 })
    expect(first.stats().heldBack, 'of this agent').to.equal(10)
    addon.hold('/f', 3, recordKinds.file.number, 5)
    const next = open()
    expect(next.held()[0]).to.include({ held: 12, noted: 7 })
    expect(next.stats().heldBack, 'of this agent').to.equal(8)
  })

  it('continues with records that reloaded programs hold back, and forgets none of the old programs', async () => {
    const { addon, open, move } = world()
    addon.folder('/g')
    const source = open()
    const reading = source[Symbol.asyncIterator]().next()
    addon.hold('/f', 3, recordKinds.file.number, 7)
    move('/g')
    source.stats()
    addon.hold('/g', 3, recordKinds.file.number, 1)
    addon.give('/g', records(size))
    await reading
    const held = source.held()
    expect(held.map((row) => row.held)).to.deep.equal([7, 1])
    expect(source.stats().heldBack).to.equal(8)
    for (const row of held) await source.noteHeld(row)
    expect([...addon.folder('/f').noted.values(), ...addon.folder('/g').noted.values()]).to.deep.equal([7, 1])
    source.close()
  })

  it('continues with the ring of reloaded programs after it has read the old ring', async () => {
    const { addon, open, move } = world()
    addon.folder('/g')
    const source = open()
    addon.give('/f', records(size))
    addon.folder('/f').counters.ringFull = 2
    move('/g')
    source.stats()
    addon.give('/g', records(size, size))
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

  it('begins behind what the killed one had stored, and counts on from there, in this ring and no other', () => {
    const { addon } = world()
    const { id } = addon.folder('/f')
    addon.give('/f', records(size))
    addon.give('/f', records(size))
    const opened = (of: number) => {
      addon.folder('/f').done = 0
      const places = { 'bpf /f': { id: of, position: size, ringFull: 4, noScratch: 1 } }
      addon.folder('/f').counters.ringFull = 7
      const source = new BpfRingSource({ folder: () => '/f', addon, places })
      return [addon.folder('/f').done, source.stats().dropped.ringFull]
    }
    expect(opened(id)).to.deep.equal([size, 3])
    expect(opened(id + 1)).to.deep.equal([0, 7])
  })

  it('notes losses for the next agent as of the look whose losses are said, and no later ones', () => {
    const { addon, open } = world()
    const { counters } = addon.folder('/f')
    const source = open()
    counters.ringFull = 4
    source.stats()
    const { lossMark } = source
    counters.ringFull = 9
    const { name, place } = source.place(undefined, lossMark)
    expect([name, place]).to.deep.equal(['bpf /f', { id: 1, position: 0, ringFull: 4, noScratch: 0 }])
    source.written(undefined, lossMark)
    expect(counters.ringFullNoted).to.equal(4)
    expect(open().stats().dropped.ringFull).to.equal(5)
  })

  it('takes a position in the ring of programs that are gone for none in that of their successors', async () => {
    const { addon, open, move } = world()
    addon.folder('/g')
    const source = open()
    addon.give('/f', records(size))
    move('/g')
    source.stats()
    addon.give('/g', records(size, size))
    const positions: unknown[] = []
    for await (const { position } of source) {
      positions.push(position)
      if (positions.length === 2) source.stop()
    }
    source.written(positions[0])
    expect([addon.folder('/f').done, addon.folder('/g').done]).to.deep.equal([size, 0])
    expect(source.place(positions[0], undefined).place.position).to.equal(0)
    source.written(positions[1])
    expect(addon.folder('/g').done).to.equal(2 * size)
  })

  it('ends when its programs are gone for good, with what they have made until they were detached', async () => {
    const { addon } = world()
    let folder: string | undefined = '/f'
    const source = new BpfRingSource({ folder: () => folder, addon })
    addon.give('/f', records(size))
    source.stats()
    folder = undefined
    source.stats()
    addon.give('/f', records(size, size))
    source.stats()
    const lengths: number[] = []
    for await (const { bytes } of source) lengths.push(bytes.length)
    expect(lengths).to.deep.equal([size, 2 * size])
  })

  it('says that it cannot be opened', () => {
    const { open, move } = world()
    move('/none')
    expect(open).to.throw().with.property('code', 'SYSTEM')
  })
})
