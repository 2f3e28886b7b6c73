import { expect } from 'chai'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { Accounting } from '../../../src/audit/pipeline/accounting.ts'
import { type Decoder, Pipeline } from '../../../src/audit/pipeline/pipeline.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { Sink } from '../../../src/audit/sink/sink.ts'
import { demo, demoPid, demoProcesses } from '../harness.ts'
import { ManualClock, turn } from '../manual-clock.ts'
import { denial, ListSource } from '../pipeline-world.ts'

const unknownPid = 4000

/** Decodes records in this thread. */
function decoder(): Decoder {
  const [snapshot, scratch] = [new Snapshot(demo), new Scratch()]
  return {
    ...{ capacity: 5, depth: 0, givenUp: 0, failures: { threw: 0, crashed: 0, stuck: 0 }, refused: {} },
    seenProcesses: new ProcessLog(),
    recycle: () => undefined,
    process: async (batch: SourceBatch) => processBatch(batch, snapshot, demoProcesses, scratch),
  }
}

/** A pipeline whose disk accepts no data before `write` is called. */
function world(texts: readonly string[], accounting?: Accounting) {
  const clock = new ManualClock()
  const feed = new SnapshotFeed(demo)
  let write = (): void => undefined
  const written = new Promise<void>((resolve) => {
    write = resolve
  })
  const open = async () => ({
    ...{ rotations: 0, room: 1_000_000, sync: async () => undefined, close: async () => undefined },
    write: (bytes: Uint8Array) => written.then(() => ({ written: bytes.length })),
  })
  const sink = new Sink({ path: '/nowhere', clock, random: () => 0.5, writer: feed, open })
  // Records wait for their container only until their source ends, so this source stays open until `written`.
  let given = 0
  const source = new ListSource([...texts, ''], () => (given++ < texts.length ? Promise.resolve() : written))
  const pipeline = new Pipeline({
    ...{ sources: [{ source, pressure: 'waits' }], pool: decoder(), sink, feed, clock },
    ...(accounting !== undefined && { accounting }),
  })
  return { clock, pipeline, write }
}

/** Denials with the same time, 1.5 s before the clock's start. */
const early = (name: string): string => denial(name, demoPid, 1_739_999_998).replace('.123', '.500')

describe('a pipeline that is watched', () => {
  it('shows how much waits where, and for how long', async () => {
    const { clock, pipeline, write } = world([early('/a') + early('/b'), denial('/c', unknownPid)])
    const ended = pipeline.run()
    await turn()
    await clock.advance(700)
    const [batches, workers, deferred, log] = pipeline.queues
    expect(batches).to.deep.equal({ queue: 'batches', depth: 2, age: 0.7 })
    expect(workers).to.deep.equal({ queue: 'workers', depth: 0 })
    expect(deferred).to.deep.include({ queue: 'deferred', depth: 1, age: 0.7, bytes: denial('/c', unknownPid).length })
    expect(log).to.deep.include({ queue: 'log', depth: 2, age: 0.7 })
    expect(log?.bytes).to.be.greaterThan(500)
    write()
    await clock.advance(10_000)
    await ended
    for (const { depth, bytes = 0, age = 0 } of pipeline.queues) expect([depth, bytes, age]).to.deep.equal([0, 0, 0])
  })

  it('measures the time from the kernel to the log, for each line', async () => {
    const { clock, pipeline, write } = world([early('/a') + early('/b')])
    const ended = pipeline.run()
    await turn()
    await clock.advance(2_000)
    write()
    await ended
    const { lag } = pipeline.accounting
    expect([lag.count, lag.sum]).to.deep.equal([2, 7])
    expect(lag.cumulative().at(lag.bounds.indexOf(2.5))).to.equal(0)
    expect(lag.cumulative().at(lag.bounds.indexOf(5))).to.equal(2)
  })

  it('takes the time of the kernel that is to come for now', async () => {
    const { pipeline, write } = world([denial('/a', demoPid, 1_750_000_000)])
    write()
    await pipeline.run()
    expect(pipeline.accounting.lag.sum).to.equal(0)
  })

  it('counts on in the place of an earlier one', async () => {
    const feed = new SnapshotFeed(demo)
    const accounting = new Accounting((name) => feed.policies.get(name))
    for (const names of [['/a', '/b'], ['/c']]) {
      const { pipeline, write } = world(
        names.map((name) => denial(name)),
        accounting,
      )
      write()
      await pipeline.run()
      expect(accounting.balanced).to.equal(true)
    }
    expect(accounting.totals).to.include({ read: 3, written: 3, deferred: 0, queued: 0 })
    expect(accounting.events[0]?.events).to.equal(3)
  })
})
