import { expect } from 'chai'
import fc from 'fast-check'
import { Backoff, backoff } from '../../src/base/backoff.ts'

const range = { first: 100, max: 30_000 }

describe('the backoff', () => {
  it('doubles with each failure up to the longest delay', () => {
    const delays = Array.from({ length: 11 }, (_, failures) => backoff(failures, range, () => 1))
    expect(delays).to.deep.equal([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  })

  it('stays within the upper half of its step, however often something failed', () => {
    const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
    fc.assert(
      fc.property(fc.nat(10_000), random, (failures, drawn) => {
        const step = Math.min(range.max, range.first * 2 ** failures)
        const delay = backoff(failures, range, () => drawn)
        expect(delay)
          .to.be.at.least(step / 2)
          .and.at.most(step)
      }),
    )
  })

  it('counts by itself, and begins again when it is reset', () => {
    const counting = new Backoff({ ...range, random: () => 0 })
    expect([counting.next(), counting.next(), counting.next()]).to.deep.equal([50, 100, 200])
    counting.reset()
    expect(counting.next()).to.equal(50)
  })
})
