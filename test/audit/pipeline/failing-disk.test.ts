import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { type Decoder, LogInDoubt, Pipeline, type PipelineSource } from '../../../src/audit/pipeline/pipeline.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { Sink } from '../../../src/audit/sink/sink.ts'
import { checkLine } from '../check-line.ts'
import { demo, demoProcesses } from '../harness.ts'
import { ManualClock, turn } from '../manual-clock.ts'
import { denial, ListSource, namesIn } from '../pipeline-world.ts'

function decoder(): Decoder {
  const [snapshot, scratch] = [new Snapshot(demo), new Scratch()]
  const failures = { threw: 0, crashed: 0, stuck: 0 }
  return {
    ...{
      capacity: 5,
      depth: 0,
      givenUp: 0,
      refused: {},
      failures,
      seenProcesses: new ProcessLog(),
      recycle: () => undefined,
    },
    process: async (batch) => processBatch(batch, snapshot, demoProcesses, scratch),
  }
}

/** A page cache over a disk. The data of a failed sync is lost, and the next sync does not report it. */
class FailingDisk {
  /** The bytes that survive a power failure. */
  stored = ''
  fails = false
  #cached = ''

  file = {
    rotations: 0,
    room: 1_000_000,
    write: async (bytes: Uint8Array) => {
      this.#cached += Buffer.from(bytes).toString('utf8')
      return { written: bytes.length }
    },
    sync: async () => {
      const dirty = this.#cached
      this.#cached = ''
      if (this.fails) throw Object.assign(new Error('I/O error'), { code: 'EIO' })
      this.stored += dirty
    },
    close: () => this.file.sync(),
  }
}

interface Lost {
  where: string
  why: string
  events: number | null
}

const lostIn = (text: string): Lost[] =>
  text.split('\n').flatMap((line) => (line === '' ? [] : ((checkLine(line) as { lost?: Lost }).lost ?? [])))

describe('a pipeline whose disk does not store', () => {
  let clock: ManualClock
  let disk: FailingDisk
  let stored: number
  let given: (() => void)[]
  const names = Array.from({ length: 9 }, (_, i) => `/${i}`)

  function pipelineFrom(first: number, pressure: PipelineSource['pressure'] = 'waits'): Pipeline {
    const feed = new SnapshotFeed(demo)
    const sink = new Sink({ path: '/nowhere', clock, random: () => 0, writer: feed, open: async () => disk.file })
    const source = new ListSource(
      names.slice(first).map((name) => denial(name)),
      () => new Promise<void>((resolve) => given.push(resolve)),
    )
    const commit = async (position: unknown): Promise<void> => {
      stored = first + (position as number)
    }
    return new Pipeline({ sources: [{ source, pressure, commit }], pool: decoder(), sink, feed, clock })
  }
  const give = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      while (given.length === 0) await turn()
      given.shift()!()
    }
    await turn()
  }

  beforeEach(() => {
    clock = new ManualClock()
    disk = new FailingDisk()
    stored = 0
    given = []
  })

  it('stores no position past lines that may be lost, reads them again, and then has all', async () => {
    const first = pipelineFrom(0)
    const ended = first.run().catch((error: unknown) => error)
    await give(3)
    await clock.advance(300)
    expect(stored).to.equal(3)

    disk.fails = true
    await give(2)
    await clock.advance(300)
    disk.fails = false
    await give(2)
    await clock.advance(5_000)
    expect(stored, 'the next sync succeeds, and says nothing about what was lost').to.equal(3)

    // The disk works again. The pipeline ends, so that its owner restarts it at the last stored position.
    await clock.advance(20_000)
    await give(1)
    expect(await ended).to.be.instanceOf(LogInDoubt)
    expect([first.accounting.balanced, stored]).to.deep.equal([true, 3])
    expect(lostIn(disk.stored)).to.deep.include.members([
      { ...lostIn(disk.stored)[0]!, where: 'sink', why: 'sync-EIO', events: null },
    ])
    expect(first.losses).to.deep.equal([{ where: 'sink', why: 'sync-EIO', events: 0, uncounted: 1 }])
    expect(first.stages.sink.syncFailures).to.equal(1)

    given = []
    const second = pipelineFrom(stored)
    const done = second.run()
    await give(6)
    await done
    expect(stored).to.equal(9)
    expect(new Set(namesIn(disk.stored))).to.deep.equal(new Set(names))
  })

  it('says what may be missing where no position is stored that would ask the disk', async () => {
    const sink = new Sink({ path: '/nowhere', clock, random: () => 0, writer: demo, open: async () => disk.file })
    const write = (line: string) =>
      sink.offer({ bytes: Buffer.from(line), lines: 1, lossy: true, settle: () => undefined })
    write('{}\n')
    await clock.advance(20_000)
    expect(disk.stored).to.equal('{}\n')
    disk.fails = true
    write('{}\n')
    await clock.advance(10_000)
    disk.fails = false
    await clock.advance(20_000)
    expect(sink.losses.counts).to.deep.equal([{ where: 'sink', why: 'sync-EIO', events: 0, uncounted: 1 }])
    expect(disk.stored).to.include('sync-EIO')
    expect(clock.waiting, 'nothing more to store').to.equal(0)
    expect(await sink.sync().catch(({ name }: Error) => name), 'the caller gets the error').to.equal('NotStored')
  })

  it('stores nothing at its end when the last sync fails', async () => {
    const pipeline = pipelineFrom(0)
    const ended = pipeline.run()
    await give(3)
    await clock.advance(300)
    disk.fails = true
    await give(6)
    await ended
    expect(stored).to.equal(3)
    expect(pipeline.losses).to.deep.equal([{ where: 'sink', why: 'sync-EIO', events: 0, uncounted: 1 }])
  })

  it('goes on where the source cannot be read again, and says what may be missing', async () => {
    const pipeline = pipelineFrom(0, 'loses')
    const ended = pipeline.run()
    await give(3)
    disk.fails = true
    await clock.advance(300)
    expect(stored).to.equal(0)
    disk.fails = false
    await give(6)
    await clock.advance(20_000)
    await ended
    expect(stored).to.equal(9)
    expect(lostIn(disk.stored).map(({ why }) => why)).to.deep.equal(['sync-EIO'])
  })
})

describe('a log on a disk that fails on demand', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-failing-disk-'))
  after(() => rmSync(folder, { recursive: true }))

  it('is in doubt after each failed sync, of rotated files as well, until it is closed', async () => {
    const path = join(folder, 'violations.log')
    let fails = false
    const synchronise = async (): Promise<void> => {
      if (fails) throw Object.assign(new Error('I/O error'), { code: 'EIO' })
    }
    const clock = new ManualClock()
    const writer = { nodeName: 'n1', metadata: {} }
    const sink = new Sink({ path, clock, random: () => 0, writer, synchronise, size: '1K', rotate: 3 })
    const write = (name: string): Promise<void> =>
      new Promise((settled) =>
        sink.offer({
          bytes: Buffer.from(`{"n":"${name.padEnd(600)}"}\n`),
          lines: 1,
          lossy: false,
          settle: () => settled(),
        }),
      )
    const outcome = (): Promise<string> =>
      sink.sync().then(
        () => 'stored',
        ({ name }: Error) => name,
      )
    await write('a')
    expect(await outcome()).to.equal('stored')
    fails = true
    await write('b')
    await write('c')
    const inFlight = [outcome(), outcome()]
    expect(await Promise.all(inFlight)).to.deep.equal(['NotStored', 'NotStored'])
    fails = false
    expect(await outcome()).to.equal('stored')
    fails = true
    await write('d')
    sink.hurry(1_000)
    await sink.close()
    expect(await outcome()).to.equal('NotStored')
    expect(sink.syncFailures).to.equal(3)
    const all = [3, 2, 1].map((i) => `${path}.${i}`).concat(path)
    const text = all.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')).join('')
    expect(text.match(/(?<="n":")\w/g)?.join('')).to.equal('abcd')
  })
})
