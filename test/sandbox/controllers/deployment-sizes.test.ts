import { expect } from 'chai'
import fc from 'fast-check'
import { limitsOf, nextSizes, type Size } from '../../../src/sandbox/controllers/deployment-sizes.ts'

const size = (wanted: number, available = wanted): Size => ({ wanted, available, present: wanted })

const rows: { title: string; newest: Size; old: Size[]; next: { newest: number; old: number[] } }[] = [
  {
    title: 'the newest set grows as far as the surge leaves room',
    newest: size(0),
    old: [size(4)],
    next: { newest: 1, old: [4] },
  },
  {
    title: 'an old one gives up what may be unavailable',
    newest: size(1, 0),
    old: [size(4)],
    next: { newest: 1, old: [3] },
  },
  {
    title: 'pods that do not serve go first',
    newest: size(1),
    old: [size(2), size(2, 1)],
    next: { newest: 1, old: [1, 1] },
  },
  {
    title: 'nothing moves while new pods are not available',
    newest: size(2, 0),
    old: [size(3)],
    next: { newest: 2, old: [3] },
  },
  { title: 'the newest shrinks with its deployment', newest: size(6), old: [], next: { newest: 4, old: [] } },
  { title: 'the end is that only the newest is left', newest: size(4), old: [size(0)], next: { newest: 4, old: [0] } },
]

describe('the sizes of the replica sets of a deployment', () => {
  for (const { title, newest, old, next } of rows)
    it(title, () => expect(nextSizes(4, { surge: 1, unavailable: 1 }, newest, old)).to.deep.equal(next))

  it('leave as many pods available as they must, never exceed the surge, and come to an end', () => {
    const counts = fc.record({
      replicas: fc.integer({ min: 1, max: 20 }),
      surge: fc.integer({ min: 0, max: 5 }),
      unavailable: fc.integer({ min: 0, max: 5 }),
    })
    const property = fc.property(counts, fc.array(fc.nat(5), { maxLength: 3 }), ({ replicas, ...given }, shares) => {
      const limits = limitsOf({
        replicas,
        strategy: { rollingUpdate: { maxSurge: given.surge, maxUnavailable: given.unavailable } },
      } as never)
      let newest = 0
      let old = [replicas, ...shares.map(() => 0)]
      for (let steps = 0; newest !== replicas || old.some((one) => one > 0); steps++) {
        expect(steps).to.be.below(200)
        const next = nextSizes(
          replicas,
          limits,
          size(newest),
          old.map((one) => size(one)),
        )
        const total = next.newest + next.old.reduce((sum, one) => sum + one, 0)
        expect(total).to.be.within(replicas - limits.unavailable, replicas + limits.surge)
        newest = next.newest
        old = next.old
      }
    })
    fc.assert(property)
  })
})
