import { expect } from 'chai'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { Attempt, Placement } from '../../../src/audit/pool/placement.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { demo } from '../harness.ts'
import { ManualClock } from '../manual-clock.ts'
import { batchOf, denial } from '../pipeline-world.ts'

const workers = [{ id: 1, currentUsage: 0, terminating: false, destroyed: false }]
const thread = 77

function placing(cpuTime: (now: number) => number | undefined) {
  const clock = new ManualClock()
  const start = clock.now()
  const world = { clock, looks: 0 }
  const placement = new Placement({
    ...{ feed: new SnapshotFeed(demo), seenProcesses: new ProcessLog(), tasksPerWorker: 2 },
    ...{ clock, timeLimit: 10_000, startLimit: 120_000 },
    cpuTime: (asked) => {
      world.looks++
      return asked === thread ? cpuTime(clock.now() - start) : undefined
    },
  })
  const place = (): Attempt => {
    const attempt = new Attempt({ batch: batchOf(denial('/a')) }, false)
    placement.wait(attempt)
    placement.choose(attempt, workers)
    return attempt
  }
  placement.settle(place(), true, thread)
  /** Milliseconds after which a new batch is given up. */
  const givenUpAfter = async (): Promise<number> => {
    const start = clock.now()
    const attempt = place()
    while (!attempt.late) await clock.advance(50)
    return clock.now() - start
  }
  return Object.assign(world, { placement, place, givenUpAfter })
}

describe('the placement of batches', () => {
  const rows = [
    { what: 'has used the CPU all the time', cpu: (now: number) => now, lateAt: 10_000 },
    { what: 'gets half of the CPU', cpu: (now: number) => now / 2, lateAt: 20_000 },
    { what: 'gets no CPU', cpu: () => 40, lateAt: 130_000 },
    { what: 'has no measured CPU time', cpu: () => undefined, lateAt: 10_000 },
    {
      what: 'ends while it works',
      cpu: (now: number) => (now < 12_000 ? now / 2 : undefined),
      lateAt: 15_000,
    },
  ]
  for (const { what, cpu, lateAt } of rows) {
    it(`gives up a thread that ${what} after ${lateAt / 1000} s`, async () => {
      expect(await placing(cpu).givenUpAfter()).to.be.within(lateAt, lateAt + 150)
    })
  }

  it('charges a batch with nothing that its thread has worked before, though it looks once a second', async () => {
    const world = placing((now) => now)
    for (let i = 0; i < 9; i++) {
      world.placement.settle(world.place(), true, thread)
      await world.clock.advance(100)
    }
    expect(world.looks).to.equal(1)
    expect(await world.givenUpAfter()).to.be.within(10_000, 11_150)
  })
})
