import { expect } from 'chai'
import { SimulatedClock } from '../../actors/runtime/simulated-clock.ts'
import { WorkQueue, type WorkQueueOptions } from '../../src/sandbox/work-queue.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function run(clock: SimulatedClock, duration: number): Promise<void> {
  await turn()
  const limit = clock.now() + duration
  while (clock.step(limit)) await turn()
}

describe('the work queue of controllers', () => {
  let clock: SimulatedClock
  beforeEach(() => {
    clock = new SimulatedClock()
  })
  const queueOf = (work: WorkQueueOptions['work'], more: Partial<WorkQueueOptions> = {}): WorkQueue =>
    new WorkQueue({ clock, random: () => 1, concurrency: 2, failed: () => expect.fail(), work, ...more })

  it('works on a key once for many changes, and again for changes during the work', async () => {
    let runs = 0
    const queue = queueOf(async (key) => {
      if (++runs === 1) queue.add(key)
    })
    for (let index = 0; index < 10; index++) queue.add('a')
    await queue.idle()
    expect(runs).to.equal(2)
  })

  it('works on so many keys at a time, and on each key once at a time', async () => {
    const running = new Set<string>()
    let max = 0
    let done = 0
    const queue = queueOf(async (key) => {
      expect(running.has(key)).to.equal(false)
      running.add(key)
      max = Math.max(max, running.size)
      await turn()
      running.delete(key)
      done++
    })
    for (let index = 0; index < 200; index++) queue.add(`key ${index}`)
    await queue.idle()
    expect([max, done, queue.isIdle]).to.deep.equal([2, 200, true])
  })

  it('tries again what failed, more and more slowly, until it succeeds', async () => {
    const times: number[] = []
    const failures: number[] = []
    const work = async (key: string): Promise<void> => {
      times.push(clock.now())
      if (times.length === 1) queue.add(key)
      if (times.length < 6) throw new Error('not yet')
    }
    const queue = queueOf(work, { failed: (_key, _error, count) => failures.push(count) })
    queue.add('a')
    await run(clock, 60_000)
    expect(times).to.deep.equal([0, 10, 30, 70, 150, 310])
    expect(failures).to.deep.equal([1, 2, 3, 4, 5])
    expect(queue.isIdle).to.equal(true)
  })

  it('does nothing once it is closed', async () => {
    let runs = 0
    const queue = queueOf(async () => void runs++)
    queue.add('a')
    queue.addAfter('b', 1000)
    queue.close()
    queue.add('c')
    await run(clock, 5000)
    expect(runs).to.equal(0)
    expect(clock.timers).to.equal(0)
  })
})
