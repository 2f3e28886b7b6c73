import { expect } from 'chai'
import fc from 'fast-check'
import { fairShares } from '../../../src/manager/egress/fair-shares.ts'

describe('fair shares', () => {
  const rows: [room: number, wanted: Record<string, number>, shares: Record<string, number>][] = [
    [10, { a: 3, b: 4 }, { a: 3, b: 4 }],
    [10, { a: 30 }, { a: 10 }],
    [10, { a: 30, b: 2 }, { a: 8, b: 2 }],
    [10, { a: 30, b: 30 }, { a: 5, b: 5 }],
    [2, { a: 1, b: 1, c: 1 }, { a: 0, b: 1, c: 1 }],
  ]
  for (const [room, wanted, shares] of rows)
    it(`of ${room} for ${JSON.stringify(wanted)} are ${JSON.stringify(shares)}`, () =>
      expect(Object.fromEntries(fairShares(new Map(Object.entries(wanted)), room))).to.deep.equal(shares))

  it('leave no room that somebody wants, and each what is even, whatever others want', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.nat(100)), fc.nat(200), (given, room) => {
        const wanted = new Map(Object.entries(given))
        const shares = fairShares(wanted, room)
        const sum = (of: Map<string, number>): number => [...of.values()].reduce((all, one) => all + one, 0)
        expect(sum(shares)).to.equal(Math.min(room, sum(wanted)))
        for (const [who, want] of wanted)
          expect(shares.get(who)).to.be.within(Math.min(want, Math.floor(room / wanted.size)), want)
      }),
    )
  })
})
