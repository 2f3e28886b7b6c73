import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import type { SourceBatch } from '../../src/audit/batch/batch.ts'
import { processBatch } from '../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../src/audit/enrich/snapshot-feed.ts'
import { type Decoder, Pipeline } from '../../src/audit/pipeline/pipeline.ts'
import { HeldLines } from '../../src/audit/pipeline/throttled-lines.ts'
import { ProcessLog } from '../../src/audit/pool/process-log.ts'
import { LossLog } from '../../src/audit/sink/loss-log.ts'
import { Sink } from '../../src/audit/sink/sink.ts'
import { AuditSourceError } from '../../src/audit/source/audit-source-error.ts'
import { KeptSource } from '../../src/audit/source/kept-source.ts'
import type { HeldRecords } from '../../src/audit/source/source.ts'
import { asWall, isoTime } from '../../src/base/clock.ts'
import { DigestWorld } from '../audit/digest/digest-world.ts'
import { demo, demoProcesses, knowing, run } from '../audit/harness.ts'
import { ManualClock, presentBy, turn } from '../audit/manual-clock.ts'
import { batchOf, denial } from '../audit/pipeline-world.ts'
import { IdleSource } from '../audit/source/idle-source.ts'

const hour = 3_600_000
const year = 365 * 24 * hour
const sets = [
  { what: 'an hour back', by: -hour },
  { what: 'an hour ahead', by: hour },
  { what: 'a year back', by: -year },
  { what: 'a year ahead', by: year },
]

/** A long sequence of events, during which `set` sets the time of day. The result contains no time stamp. */
type Flow = (set: () => void, clock: ManualClock) => Promise<unknown>

const decoder = (): Decoder => {
  const [snapshot, scratch] = [new Snapshot(demo), new Scratch({ kinds: 'lines' })]
  return {
    ...{ capacity: 5, depth: 0, givenUp: 0, refused: {}, failures: { threw: 0, crashed: 0, stuck: 0 } },
    ...{ seenProcesses: new ProcessLog(), recycle: () => undefined },
    process: async (batch: SourceBatch) => processBatch(batch, snapshot, demoProcesses, scratch),
  }
}

/** A source that yields the batches that a test passes to it. */
class Fed extends IdleSource {
  readonly #batches: SourceBatch[] = []
  #wake: () => void = () => undefined
  #ended = false

  give(text: string): void {
    this.#batches.push(batchOf(text, 0, { position: this.#batches.length + 1 }))
    this.#wake()
  }

  override async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    while (!this.#ended) {
      const next = this.#batches.shift()
      if (next !== undefined) yield next
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  override stop(): void {
    this.#ended = true
    this.#wake()
  }
}

/** A pipeline over a disk that may hang. */
function pipelineOf(clock: ManualClock) {
  const feed = new SnapshotFeed(demo)
  let release: (() => void) | undefined
  const disk = { isStuck: false, release: () => release?.() }
  const open = async () => ({
    ...{ rotations: 0, room: 1_000_000, sync: async () => undefined, close: async () => undefined },
    async write(bytes: Uint8Array) {
      if (disk.isStuck) await new Promise<void>((resolve) => (release = resolve))
      return { written: bytes.length }
    },
  })
  const sink = new Sink({ path: '/nowhere', clock, random: () => 0, writer: feed, open })
  const source = new Fed('multicast')
  const stored: number[] = []
  const sources = [
    { source, pressure: 'waits' as const, commit: async (position: unknown) => void stored.push(position as number) },
  ]
  const pipeline = new Pipeline({ sources, pool: decoder(), sink, feed, clock, commitEvery: 250 })
  const ended = pipeline.run()
  const end = async (): Promise<void> => {
    disk.isStuck = false
    disk.release()
    pipeline.stop()
    for (let i = 0; i < 20; i++) await clock.advance(1_000)
    await ended
  }
  return { pipeline, sink, source, stored, disk, end }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await turn()
}

const flows: Record<string, Flow> = {
  async 'records that wait for their container'(set, clock) {
    const { pipeline, source, end } = pipelineOf(clock)
    source.give(denial('/a', 4_000))
    await settle()
    const seen: (number | undefined)[] = []
    const poll = (): void => void seen.push(pipeline.queues.find(({ queue }) => queue === 'deferred')?.depth)
    poll()
    set()
    for (let second = 0; second < 8; second++) {
      await clock.advance(1_000)
      await settle()
      poll()
    }
    await end()
    return [seen, pipeline.accounting.totals]
  },

  async 'positions that are stored'(set, clock) {
    const { source, stored, end } = pipelineOf(clock)
    const seen: number[] = []
    for (const i of [0, 1, 2, 3]) {
      if (i === 2) set()
      source.give(denial(`/${i}`))
      await settle()
      await clock.advance(300)
      await settle()
      seen.push(stored.length)
    }
    await end()
    return seen
  },

  async 'the age of what waits for a disk that is stuck'(set, clock) {
    const { pipeline, source, disk, end } = pipelineOf(clock)
    disk.isStuck = true
    source.give(denial('/a'))
    await settle()
    await clock.advance(20_000)
    set()
    await clock.advance(20_000)
    const ages = pipeline.queues.map(({ queue, age }) => [queue, age])
    await end()
    return ages
  },

  async 'the lag of a batch that was read before'(set, clock) {
    const { pipeline, source, disk, end } = pipelineOf(clock)
    disk.isStuck = true
    source.give(denial('/a', undefined, clock.now() / 1_000 - 1))
    await settle()
    set()
    await clock.advance(3_000)
    await end()
    return pipeline.accounting.lag
  },

  async 'a rate of violations'(set, clock) {
    const world = new DigestWorld(clock, 10)
    const scratch = knowing({ kinds: 'lines' })
    const add = (count: number): void =>
      world.add(run('auditlog', denial('/same').repeat(count), { final: true, minute: world.digest.minute }, scratch))
    const held: number[] = []
    for (const i of [0, 1, 2, 3]) {
      if (i === 2) set()
      add(20)
      held.push(world.held)
      await clock.advance(500)
    }
    await clock.advance(5_000)
    world.digest.close()
    return [held, world.digest.holding, world.said('held back ended').map(({ heldBack }) => heldBack.events)]
  },

  async 'the minute of the digest'(set, clock) {
    const world = new DigestWorld(clock)
    const scratch = new Scratch({ kinds: 'counts' })
    const counts: number[] = []
    const add = (): void =>
      world.add(run('auditlog', denial('/same'), { final: true, minute: world.digest.minute }, scratch))
    for (const second of Array.from({ length: 18 }, (_, i) => i * 10)) {
      if (second === 50) set()
      add()
      await clock.advance(10_000)
      counts.push(world.counts.length)
    }
    world.digest.close()
    const order = world.counts.every(({ digest }) => Date.parse(digest.to) - Date.parse(digest.from) <= 60_000)
    const isForward = world.counts.every(({ digest }) => digest.to >= digest.from)
    return [counts, order, isForward, world.counts.map(({ digest }) => digest.events)]
  },

  async 'what the kernel holds back'(set, clock) {
    const said: string[] = []
    const records: HeldRecords = { key: 'k', container: 7, operation: 'open', held: 0, noted: 0 }
    const lines = new HeldLines({
      source: { heldRate: 10, held: () => [{ ...records }] },
      ...{ clock, feed: new SnapshotFeed(demo) },
      sink: { offer: ({ bytes }) => void said.push(JSON.parse(Buffer.from(bytes).toString()).message) },
    })
    const seen: number[] = []
    for (const i of [0, 1, 2, 3, 4, 5]) {
      if (i === 3) set()
      if (i < 4) records.held += 5
      lines.poll()
      seen.push(said.length)
      await clock.advance(600)
    }
    return seen
  },

  async 'the lines about losses'(set, clock) {
    const losses = new LossLog({ clock })
    const lines: unknown[] = []
    losses.onLine(() => lines.push(...losses.takeLines().map(({ from, to, ...line }) => ({ ...line, in: from <= to }))))
    for (const i of [0, 1, 2, 3, 4, 5]) {
      if (i === 3) set()
      losses.note({ where: 'sink', why: 'EIO', events: 1, since: asWall(clock.wall() - 100) })
      await clock.advance(400)
    }
    losses.close()
    return lines
  },

  async 'the patience with a source that broke'(set, clock) {
    let opens = 0
    class Broken extends IdleSource {
      // biome-ignore lint/correctness/useYield: it breaks before it gives anything
      override async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
        throw new AuditSourceError('SYSTEM', 'listen', 'see errno', { errno: 'ENOMEM' })
      }
    }
    const open = () => {
      if (opens++ > 0) throw new AuditSourceError('SYSTEM', 'open', 'see errno', { errno: 'ENOMEM' })
      return new Broken('multicast')
    }
    const source = new KeptSource(open, { clock, present: presentBy(clock), random: () => 0, timeout: 30_000 })
    let outcome = 'open'
    const ended = source[Symbol.asyncIterator]().next()
    ended.catch((error: unknown) => (outcome = String(error)))
    const seen: string[] = []
    for (const second of [0, 10, 20, 30, 40, 50]) {
      if (second === 10) set()
      await clock.advance(10_000)
      await settle()
      seen.push(outcome)
    }
    return [opens, seen]
  },

  async 'a disk that an end does not wait for'(set, clock) {
    const { pipeline, source, disk, end } = pipelineOf(clock)
    disk.isStuck = true
    source.give(denial('/a'))
    await settle()
    pipeline.stop()
    const seen: object[] = []
    for (const second of [0, 1, 2, 3, 4, 5, 6, 7]) {
      if (second === 2) set()
      await clock.advance(1_000)
      await settle()
      seen.push({ ...pipeline.accounting.totals.dropped })
    }
    await end()
    return seen
  },
}

describe('a time of day that is set', () => {
  for (const [name, flow] of Object.entries(flows))
    it(`changes nothing of ${name}`, async () => {
      const outcome = async (by: number): Promise<unknown> => {
        const clock = new ManualClock()
        return JSON.parse(JSON.stringify(await flow(() => clock.setBack(-by), clock)))
      }
      const usual = await outcome(0)
      for (const { what, by } of sets) expect(await outcome(by), what).to.deep.equal(usual)
    })

  it('is printed as it is, and whatever a stamp holds', () => {
    const clock = new ManualClock()
    clock.setBack(hour)
    expect(isoTime(clock.wall())).to.equal(new Date(clock.now() - hour).toISOString())
    for (const stamp of [-1e300, 1e300, Number.NaN, Number.POSITIVE_INFINITY, -1])
      expect(isoTime(asWall(stamp))).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })
})
