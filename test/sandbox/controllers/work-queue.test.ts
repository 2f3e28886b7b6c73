import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { WorkQueue } from '../../../src/sandbox/controllers/work-queue.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function run(clock: SimulatedClock, duration: number): Promise<void> {
  await turn()
  const limit = clock.now() + duration
  while (clock.step(limit)) await turn()
}

describe('the work queue of controllers', () => {
  it('works on a key once for many changes, and again for changes during the work', async () => {
    const clock = new SimulatedClock()
    let runs = 0
    const queue = new WorkQueue({
      clock,
      random: () => 0,
      failed: () => expect.fail(),
      work: async (key) => {
        if (++runs === 1) queue.add(key)
      },
    })
    for (let index = 0; index < 10; index++) queue.add('a')
    await run(clock, 1000)
    expect(runs).to.equal(2)
  })

  for (const interval of [0, 100])
    it(`tries again what failed, more and more slowly, until it succeeds (pause between runs: ${interval} ms)`, async () => {
      const clock = new SimulatedClock()
      const times: number[] = []
      const queue = new WorkQueue({
        clock,
        random: () => 0,
        interval,
        failed: () => undefined,
        work: async (key) => {
          times.push(clock.now())
          if (times.length === 1) queue.add(key)
          if (times.length < 6) throw new Error('not yet')
        },
      })
      queue.add('a')
      await run(clock, 60_000)
      expect(times).to.deep.equal(interval === 0 ? [0, 5, 15, 35, 75, 155] : [0, 100, 200, 300, 400, 500])
      expect(queue.idle).to.equal(true)
    })

  it('does nothing once it is closed', async () => {
    const clock = new SimulatedClock()
    let runs = 0
    const queue = new WorkQueue({ clock, random: () => 0, failed: () => undefined, work: async () => void runs++ })
    queue.add('a')
    queue.addAfter('b', 1000)
    queue.close()
    queue.add('c')
    await run(clock, 5000)
    expect(runs).to.equal(0)
    expect(clock.timers).to.equal(0)
  })
})
