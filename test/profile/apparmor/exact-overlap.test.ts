import { expect } from 'chai'
import fc from 'fast-check'
import { overlaps } from '../../../src/profile/apparmor/exact-overlap.ts'
import { literal, quoted } from '../../../src/profile/apparmor/quoted.ts'

const value = (text: string, kind: string) => ({ value: quoted(text), kind })

/** A value as a tree, from which a second implementation lists all texts that match. */
type Tree = { text: string } | { either: Tree[][] } | { class: string; not: boolean }

const letters = ['a', 'b', 'c', '/']
const tree: fc.Arbitrary<Tree[]> = fc.letrec<{ list: Tree[]; one: Tree }>((tie) => ({
  list: fc.array(tie('one'), { maxLength: 3 }),
  one: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom(...letters, 'é', '"').map((text): Tree => ({ text })),
    fc.record({ class: fc.constantFrom('ab', 'a-c', 'c'), not: fc.constant(false) }),
    fc.array(tie('list'), { minLength: 2, maxLength: 2 }).map((either): Tree => ({ either })),
  ),
})).list

const written = (list: readonly Tree[]): string =>
  list
    .map((one) => {
      if ('text' in one) return literal(one.text)
      return 'either' in one ? `{${one.either.map(written).join(',')}}` : `[${one.class}]`
    })
    .join('')

const members: Record<string, string[]> = { ab: ['a', 'b'], 'a-c': ['a', 'b', 'c'], c: ['c'] }

function paths(list: readonly Tree[]): Set<string> {
  let all = ['']
  for (const one of list) {
    const ends =
      'text' in one
        ? [literal(one.text)]
        : 'either' in one
          ? one.either.flatMap((each) => [...paths(each)])
          : members[one.class]!
    all = all.flatMap((start) => ends.map((end) => start + end))
  }
  return new Set(all)
}

describe('paths that exact values have in common', () => {
  const rows: [what: string, first: string, second: string, path: string | undefined][] = [
    ['the same text', '/bin/a', '/bin/a', '"/bin/a"'],
    ['other texts', '/bin/a', '/bin/b', undefined],
    ['one that begins as the other', '/bin/a', '/bin/ab', undefined],
    ['one of several names', '/bin/{a,b}', '/bin/{b,c}', '"/bin/b"'],
    ['a name or nothing', '/bin/a{,b}', '/bin/a', '"/bin/a"'],
    ['alternatives within alternatives', '/{usr/{s,}bin,bin}/a', '/usr/bin/a', '"/usr/bin/a"'],
    ['a class', '/bin/[a-c]', '/bin/b', '"/bin/b"'],
    ['what a class leaves out', '/bin/[^a-c]', '/bin/b', undefined],
    ['an escape under a class that leaves others out', '/bin/[^a-c]', '/bin/\\001', '"/bin/\\001"'],
    ['an escaped byte', '/bin/\\303\\251', '/bin/\\303\\251', '"/bin/\\303\\251"'],
    ['an escape and its digits', '/bin/\\053', '/bin/053', undefined],
  ]
  for (const [what, first, second, path] of rows)
    it(what, () =>
      expect(overlaps([value(first, 'x'), value(second, 'y')])).to.deep.equal(
        path === undefined ? [] : [{ first: 0, second: 1, path }],
      ),
    )

  it('are looked for between kinds only', () => {
    expect(overlaps([value('/a', 'x'), value('/a', 'x')])).to.deep.equal([])
  })

  it('are named for each pair of values', () => {
    const found = overlaps([value('/a', 'x'), value('/{a,b}', 'y'), value('/b', 'x'), value('/c', 'y')])
    const pairs = found?.map(({ first, second, path }) => [first, second, path])
    expect(pairs?.sort()).to.deep.equal([
      [0, 1, '"/a"'],
      [1, 2, '"/b"'],
    ])
  })

  it('are those that writing all paths out finds', () => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 2, maxLength: 4 }), (trees) => {
        const found = overlaps(trees.map((each, i) => value(written(each), `kind ${i}`)))
        const all = trees.map(paths)
        const expected: string[] = []
        for (const [i, one] of all.entries())
          for (const [j, other] of all.entries())
            if (i < j && [...one].some((path) => other.has(path))) expected.push(`${i} ${j}`)
        expect(found?.map(({ first, second }) => `${first} ${second}`).sort()).to.deep.equal(expected.sort())
        for (const { first, second, path } of found ?? []) {
          expect(all[first]?.has(path.slice(1, -1)), path).to.equal(true)
          expect(all[second]?.has(path.slice(1, -1)), path).to.equal(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  const hostile: [what: string, text: string, other: string][] = [
    ['many alternatives in a row', `/${'{a,b}'.repeat(5_000)}`, `/${'{a,b}'.repeat(4_999)}c`],
    ['many alternatives of nothing', `/${'{,}'.repeat(40_000)}`, '/b'],
    ['alternatives of unlike lengths', `/${'{a,aa}'.repeat(100)}`, `/${'a'.repeat(150)}b`],
    ['one brace with many names', `/{${Array.from({ length: 20_000 }, (_, i) => `n${i}`).join()}}`, '/n7x'],
  ]
  for (const [what, text, other] of hostile)
    it(`are found in steps near the length of the text: ${what}`, () => {
      const steps = 60 * (text.length + other.length)
      expect(overlaps([value(text, 'x'), value(other, 'y')], steps)).to.deep.equal([])
    })

  it('are given up on where there are too many ways, instead of taking minutes', () => {
    const text = (at: number) => `/${'{a,b}'.repeat(at)}{a,}${'{a,b}'.repeat(40)}`
    const values = Array.from({ length: 30 }, (_, at) => value(text(at), `kind ${at}`))
    expect(overlaps(values)).to.equal(undefined)
  })
})
