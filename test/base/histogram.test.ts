import { expect } from 'chai'
import fc from 'fast-check'
import { Histogram } from '../../src/base/histogram.ts'

describe('a histogram', () => {
  it('counts groups of values of one size, as each of them would have been', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 50 }))), (groups) => {
        const bounds = [0, 1, 10, 20]
        const histogram = new Histogram(bounds)
        for (const [value, times] of groups) histogram.add(value, times)
        const values = groups.flatMap(([value, times]) => Array.from({ length: times }, () => value))
        expect(histogram.count).to.equal(values.length)
        expect(histogram.sum).to.equal(values.reduce((sum, value) => sum + value, 0))
        expect(histogram.cumulative()).to.deep.equal(
          bounds.map((bound) => values.filter((value) => value <= bound).length),
        )
      }),
    )
  })

  it('refuses bounds that do not ascend', () => {
    for (const bounds of [[1, 1], [2, 1], [Number.NaN]]) expect(() => new Histogram(bounds)).to.throw(/ascend/)
  })
})
