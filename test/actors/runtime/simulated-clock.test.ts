import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import fc from 'fast-check'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { sleep, systemClock } from '../../../src/base/clock.ts'
import { seededRandom } from '../../../src/base/random.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describe('SimulatedClock', () => {
  it('keeps nothing of a timer that was taken back', async () => {
    const clock = new SimulatedClock()
    const cancelled = (): WeakRef<object> => {
      const held = { many: 'things' }
      clock.after(1_000, () => expect(held).to.equal(undefined)).cancel()
      return new WeakRef(held)
    }
    const held = cancelled()
    // After a WeakRef returned an object, the object stays until the current job ends.
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    expect(held.deref()).to.equal(undefined)
  })

  it('fires timers in the order of their time, then of their setting, and leaves out cancelled ones', () => {
    const timers = fc.array(fc.record({ delay: fc.nat(50), cancel: fc.boolean() }), { maxLength: 3_000 })
    fc.assert(
      fc.property(timers, (set) => {
        const clock = new SimulatedClock(1_000)
        const fired: number[] = []
        const handles = set.map(({ delay }, i) => clock.after(delay, () => fired.push(i)))
        for (const [i, { cancel }] of set.entries()) if (cancel) handles[i]!.cancel()
        const expected = set
          .map((timer, i) => ({ ...timer, i }))
          .filter(({ cancel }) => !cancel)
          .sort((a, b) => a.delay - b.delay || a.i - b.i)
        expect(clock.timers).to.equal(expected.length)
        clock.advance(50)
        expect(fired).to.deep.equal(expected.map(({ i }) => i))
        expect([clock.now(), clock.timers, clock.next]).to.deep.equal([1_050, 0, undefined])
      }),
      { numRuns: 30 },
    )
  })

  it('fires at the time that was asked for, also what a timer sets', () => {
    const clock = new SimulatedClock()
    const times: number[] = []
    clock.after(10, () => {
      times.push(clock.now())
      clock.after(5, () => times.push(clock.now()))
      clock.after(-5, () => times.push(clock.now()))
    })
    clock.advance(14)
    expect(times).to.deep.equal([10, 10])
    clock.advance(1)
    expect(times).to.deep.equal([10, 10, 15])
  })

  it('takes no delay that is no number', () => {
    expect(() => new SimulatedClock().after(Number.NaN, () => undefined)).to.throw(RangeError)
  })
})

describe('systemClock', () => {
  it('fires, takes back, and does not fire a delay of months at once', async () => {
    let fired = 0
    const far = systemClock.after(2 ** 33, () => fired++)
    const near = systemClock.after(1, () => fired++)
    near.cancel()
    const before = systemClock.now()
    await sleep(systemClock, 5)
    far.cancel()
    expect(fired).to.equal(0)
    expect(systemClock.now()).to.be.above(before)
  })
})

describe('seededRandom', () => {
  it('repeats itself for a seed, and differs for others', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed))
    expect(draw(1)).to.deep.equal(draw(1))
    const firsts = new Set(Array.from({ length: 10_000 }, (_, seed) => draw(seed)[0]))
    expect(firsts.size).to.be.above(9_990)
  })

  it('is evenly spread in [0, 1)', () => {
    const random = seededRandom(42)
    const buckets = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) buckets[Math.floor(random() * 10)]!++
    for (const count of buckets) expect(count).to.be.within(9_500, 10_500)
  })
})
