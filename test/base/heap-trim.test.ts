import { expect } from 'chai'
import { Simulation } from '../../actors/runtime/index.ts'
import { mebibyte } from '../../src/base/bytes.ts'
import { HeapTrim, ownHeap } from '../../src/base/heap-trim.ts'
import { noLogger } from '../../src/base/logger.ts'

describe('memory after a burst of work', () => {
  let simulation: Simulation
  let sizes: { used: number; size: number }
  let work: number
  let collections: number
  let collect: () => void
  let errors: object[]
  let trim: HeapTrim

  beforeEach(() => {
    simulation = new Simulation()
    sizes = { used: 20 * mebibyte, size: 30 * mebibyte }
    work = 0
    collections = 0
    collect = () => {
      collections++
      sizes.size = sizes.used + 4 * mebibyte
    }
    const heap = { sizes: () => ({ ...sizes }), collect: () => collect() }
    errors = []
    const logger = { ...noLogger, error: (fields: object) => void errors.push(fields) }
    trim = new HeapTrim({ clock: simulation.clock, work: () => work, heap, logger })
    trim.start()
  })
  afterEach(async () => {
    trim.stop()
    await simulation.stop()
    expect(simulation.clock.timers).to.equal(0)
  })

  /** Simulates this many seconds of work. Each second the heap grows by one mebibyte. */
  async function burst(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      work++
      sizes.size += mebibyte
      await simulation.runFor(1_000)
    }
  }

  it('is given back once nothing is to be done, and not while something is', async () => {
    await burst(40)
    expect(collections).to.equal(0)
    await simulation.runFor(2_000)
    expect(collections).to.equal(1)
    await simulation.runFor(600_000)
    expect(collections).to.equal(1)
  })

  it('is given back once a minute at most', async () => {
    for (let i = 0; i < 10; i++) {
      await burst(20)
      await simulation.runFor(2_000)
    }
    expect(collections).to.be.within(3, 4)
  })

  it('stays where it is little, and where to collect it would be in the way for long', async () => {
    await burst(15)
    await simulation.runFor(5_000)
    sizes = { used: 129 * mebibyte, size: 400 * mebibyte }
    await burst(1)
    await simulation.runFor(5_000)
    expect(collections).to.equal(0)
  })

  it('is looked after no more once it is stopped, even before its start', async () => {
    const other = new HeapTrim({ clock: simulation.clock, work: () => 0, logger: noLogger })
    other.stop()
    other.start()
    trim.stop()
    await burst(40)
    await simulation.runFor(5_000)
    expect(collections).to.equal(0)
  })

  it('is not asked for again where V8 cannot, which is logged', async () => {
    const err = new ReferenceError('gc is not defined')
    collect = () => {
      throw err
    }
    await burst(40)
    await simulation.runFor(600_000)
    expect(errors).to.deep.equal([{ err }])
  })

  it('is given back by V8, as Node.js 22 and later have it', function () {
    if (Number(process.versions.node.split('.')[0]) < 22) this.skip()
    // Some objects stay, among many that do not.
    let objects: object[] | undefined = Array.from({ length: 500_000 }, (_, i) => ({ i, text: `${i}`, list: [i] }))
    const kept = objects.filter((_, i) => i % 100 === 0)
    objects = undefined
    const before = ownHeap.sizes()
    ownHeap.collect()
    expect(before.size - ownHeap.sizes().size).to.be.above(16 * mebibyte)
    expect(kept).to.have.length(5_000)
    expect(globalThis).to.not.have.property('gc')
  })
})
