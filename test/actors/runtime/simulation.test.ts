import { expect } from 'chai'
import fc from 'fast-check'
import type { Stats } from '../../../actors/runtime/counters.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { sleep } from '../../../src/base/clock.ts'
import { actorOf } from './behaviours.ts'
import { Storm, type Weather } from './storm.ts'

const HOUR = 3_600_000

/** Compares the runtime's counts for receivers with the storm's own counts. */
function expectAccounted(storm: Storm): void {
  const { families } = storm.simulation.system.stats()
  const stats = Object.entries(families).flatMap(([name, family]) => (name === 'sender' ? [] : [family]))
  const sum = (count: (of: Stats) => number): number => stats.reduce((total, of) => total + count(of), 0)
  const dead = sum(({ deadLetters }) => Object.values(deadLetters).reduce((a, b) => a + b))
  const processed = sum((of) => of.processed)
  const coalesced = sum((of) => of.coalesced)
  const queued = sum((of) => of.queued)
  expect(sum((of) => of.sent)).to.equal(storm.parcels)
  expect(storm.parcels).to.equal(processed + dead + coalesced + queued)
  expect(processed).to.equal(storm.count('handled'))
  expect(storm.count('refused')).to.be.within(
    sum(({ deadLetters }) => deadLetters['mailbox-full']),
    dead,
  )
  // A message that an actor had queued when it ended is a dead letter. Its sender does not learn of it.
  expect(storm.count('on the way')).to.equal(coalesced + queued + dead - storm.count('refused'))
}

async function weather(weather: Weather): Promise<Storm> {
  const storm = new Storm(weather)
  storm.begin()
  // Also checks in the middle, because the counts must be right at every moment.
  for (let i = 0; i < 6; i++) {
    await storm.simulation.runFor(HOUR / 6 + 0.5)
    expectAccounted(storm)
  }
  return storm
}

const weathers: fc.Arbitrary<Weather> = fc.record({
  seed: fc.nat(),
  concurrency: fc.constantFrom(1, 4, 64),
  batch: fc.constantFrom(1, 3, 64),
  receivers: fc.constant(200),
  senders: fc.constantFrom(50, 150),
  burst: fc.constantFrom(5, 20),
  crashes: fc.constantFrom(0, 0.01, 0.1),
})

describe('simulation', () => {
  it('thousands of actors come through an hour of crashes, slowness and full mailboxes', async () => {
    const seen = { refused: 0, stopped: 0, coalesced: 0, failed: 0, passivated: 0 }
    await fc.assert(
      fc.asyncProperty(weathers, async (given) => {
        const storm = await weather(given)
        const { simulation } = storm
        storm.calmDown()
        // No message is lost without being counted, none is handled twice, and the system becomes idle.
        await simulation.runFor(HOUR)
        expectAccounted(storm)
        expect(simulation.system.stats().total.queued).to.equal(0)
        // Each receiver ends with the last parcel that was sent to it.
        const last = new Map(storm.addresses.map((address) => [address, storm.send(address, 'last')]))
        await simulation.runFor(HOUR / 4)
        expect(new Map([...last.keys()].map((address) => [address, storm.latest.get(address)]))).to.deep.equal(last)
        expect(storm.wrongs).to.deep.equal([])
        const { deadLetters, coalesced, failed, passivated } = simulation.system.stats().total
        seen.refused += deadLetters['mailbox-full']
        seen.stopped += deadLetters.stopped
        seen.coalesced += coalesced
        seen.failed += failed
        seen.passivated += passivated
      }),
      { numRuns: 6 },
    )
    // The storm caused enough of each kind of fault.
    for (const count of Object.values(seen)) expect(count).to.be.above(100)
  })

  it('repeats a run exactly, given the same seed', async () => {
    const given = { seed: 7, concurrency: 4, batch: 3, receivers: 50, senders: 50, burst: 10, crashes: 0.05 }
    const traces = []
    for (const seed of [7, 7, 8]) traces.push((await weather({ ...given, seed })).trace)
    expect(traces[0]).to.equal(traces[1])
    expect(traces[0]).to.not.equal(traces[2])
  })

  it('runs for a time, until a condition, until all is quiet', async () => {
    const simulation = new Simulation({ start: 1_000 })
    const seen: number[] = []
    const actor = actorOf<undefined, number>(simulation.system, {
      start: () => undefined,
      receive: async (_, n, context) => {
        await sleep(simulation.clock, 100)
        seen.push(n)
        if (n > 0) context.self.tell(n - 1)
        return undefined
      },
    })
    actor.tell(5)
    await simulation.runFor(250)
    expect([seen, simulation.clock.now()]).to.deep.equal([[5, 4], 1_250])
    expect(await simulation.runUntil(() => seen.length === 4)).to.equal(true)
    expect(simulation.clock.now()).to.equal(1_400)
    expect(await simulation.runUntil(() => seen.length === 9, 100)).to.equal(false)
    expect(await simulation.runUntilQuiet()).to.equal(true)
    expect([seen, simulation.clock.now()]).to.deep.equal([[5, 4, 3, 2, 1, 0], 1_600])
  })
})
