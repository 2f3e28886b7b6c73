import { expect } from 'chai'
import fc from 'fast-check'
import {
  type Claims,
  exceeded,
  type Holding,
  type Shares,
  sharesOf,
  waitingBefore,
} from '../../../src/enforcer/bpf/shares.ts'

describe('what profiles of a node share', () => {
  const rows: [all: number, Shares][] = [
    [1, { all: 1, namespaces: 1, one: 1 }],
    [2, { all: 2, namespaces: 2, one: 1 }],
    [8, { all: 8, namespaces: 6, one: 3 }],
    [1024, { all: 1024, namespaces: 768, one: 384 }],
  ]
  for (const [all, shares] of rows)
    it(`of ${all}, a quarter is for cluster policies, and half of the rest the most of a namespace`, () =>
      expect(sharesOf(all)).to.deep.equal(shares))

  const of = (namespace: string | undefined, amount: number): Holding => ({ namespace, amount })
  const sharing = (namespace: string, amount: number, ...shared: number[]): Holding => ({
    ...{ namespace, amount, shared },
  })
  const ofShared = (): number => 1
  const asked: {
    what: string
    wants: Holding
    others: Holding[]
    before?: Holding
    anyones?: true
    share?: keyof Shares
  }[] = [
    { what: 'what several hold counts once', wants: sharing('a', 1, 7), others: [sharing('a', 1, 7)] },
    {
      what: 'what each holds alone counts for each',
      wants: sharing('a', 1, 8),
      others: [sharing('a', 1, 7)],
      share: 'one',
    },
    { what: 'what takes no more than before has room', wants: of('a', 2), others: [of('a', 3)], before: of('a', 2) },
    {
      what: 'but not what no longer shares',
      wants: sharing('a', 1, 8),
      others: [sharing('a', 2, 7)],
      before: sharing('a', 1, 7),
      share: 'one',
    },
    { what: 'a namespace takes its share', wants: of('a', 3), others: [] },
    { what: 'no more than that', wants: of('a', 1), others: [of('a', 3)], share: 'one' },
    { what: 'another has a share of its own', wants: of('b', 3), others: [of('a', 3)] },
    { what: 'namespaces leave a quarter', wants: of('c', 1), others: [of('a', 3), of('b', 3)], share: 'namespaces' },
    { what: 'cluster policies have it', wants: of('', 2), others: [of('a', 3), of('b', 3)] },
    { what: 'and no more than there is', wants: of('', 3), others: [of('a', 3), of('b', 3)], share: 'all' },
    { what: 'cluster policies take more where it is free', wants: of('', 8), others: [] },
    {
      what: 'profiles without a namespace leave a quarter, too',
      wants: of('a', 1),
      others: [of(undefined, 6)],
      share: 'namespaces',
    },
    {
      what: 'what may be of the namespace counts',
      wants: of('a', 1),
      others: [of(undefined, 3)],
      anyones: true,
      share: 'one',
    },
  ]
  for (const { what, wants, others, before, anyones = false, share } of asked)
    it(what, () =>
      expect(exceeded(sharesOf(8), wants, others, { anyones, ...(before && { before }), ofShared })).to.equal(share),
    )

  const claimsOf = (wanted: readonly [namespace: string, name: string][]): Claims =>
    new Map(wanted.map(([namespace, name], i) => [name, { namespace, since: String(i).padStart(3, '0') }]))

  it('leaves to older profiles of namespaces the places that they are still to take, within their shares', () => {
    const claims = claimsOf([
      ...Array.from({ length: 5 }, (_, i): [string, string] => ['a', `a${i}`]),
      ...(
        [
          ['', 'cluster'],
          ['b', 'b0'],
          ['b', 'b1'],
          ['b', 'b2'],
        ] as const
      ).map(([one, name]): [string, string] => [one, name]),
    ])
    const loaded = new Map([
      ['a3', 'a'],
      ['b2', 'b'],
    ])
    expect(waitingBefore('b1', claims, loaded, sharesOf(8))).to.deep.equal([of('a', 1), of('a', 1), of('b', 1)])
    expect(waitingBefore('not-wanted', claims, loaded, sharesOf(8))).to.deep.equal([])
  })

  it('is such that in any order of loading the oldest profiles of each namespace find a place, and cluster policies', () => {
    const places = sharesOf(8)
    const namespace = fc.constantFrom('', 'a', 'b')
    fc.assert(
      fc.property(fc.array(fc.tuple(namespace, fc.nat()), { maxLength: 20 }), (wanted) => {
        const claims = claimsOf(wanted.map(([one], i) => [one, `p${i}`]))
        const loaded = new Map<string, string>()
        const order = wanted.map(([one, rank], i) => ({ namespace: one, name: `p${i}`, rank }))
        for (const { namespace: own, name } of order.sort((x, y) => x.rank - y.rank)) {
          const held = Array.from(loaded.values(), (one) => of(one, 1))
          const others = [...held, ...waitingBefore(name, claims, loaded, places)]
          if (exceeded(places, of(own, 1), others, { anyones: false }) === undefined) loaded.set(name, own)
        }
        const cluster = wanted.filter(([one]) => one === '').length
        for (const one of ['a', 'b']) {
          const names = [...claims].filter(([, { namespace: its }]) => its === one).map(([name]) => name)
          const held = names.filter((name) => loaded.has(name))
          // Cluster policies beyond their reserved slots use other slots at once.
          if (cluster <= 2) expect(names.slice(0, held.length)).to.deep.equal(held)
          expect(held.length).to.be.at.most(places.one)
        }
        expect([...loaded.values()].filter((one) => one === '').length).to.be.at.least(Math.min(cluster, 2))
      }),
    )
  })
})
