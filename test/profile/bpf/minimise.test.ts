import { expect } from 'chai'
import fc from 'fast-check'
import { minimise } from '../../../src/profile/bpf/minimise.ts'
import type { Dfa } from '../../../src/profile/bpf/subset.ts'

const BYTES = [97, 98, 99]

/** Any automaton of up to 40 states over three bytes; state 0 is dead. */
const arbitraryDfa: fc.Arbitrary<Dfa> = fc.integer({ min: 2, max: 40 }).chain((states) => {
  const target = fc.nat(states - 1)
  const state = fc.record({
    accept: fc.constantFrom(0, 0, 0, 1, 2),
    fallback: target,
    row: fc.uniqueArray(fc.tuple(fc.constantFrom(...BYTES), target), { selector: ([byte]) => byte, maxLength: 3 }),
  })
  return fc.array(state, { minLength: states - 1, maxLength: states - 1 }).map((rest) => {
    const dfa: Dfa = { start: 1, accept: [0], fallback: [0], rowStart: [0, 0], bytes: [], targets: [] }
    for (const { accept, fallback, row } of rest) {
      dfa.accept.push(accept)
      dfa.fallback.push(fallback)
      for (const [byte, to] of row.sort(([a], [b]) => a - b)) {
        dfa.bytes.push(byte)
        dfa.targets.push(to)
      }
      dfa.rowStart.push(dfa.bytes.length)
    }
    return dfa
  })
})

function next(dfa: Dfa, state: number, byte: number): number {
  for (let i = dfa.rowStart[state]!; i < dfa.rowStart[state + 1]!; i++)
    if (dfa.bytes[i] === byte) return dfa.targets[i]!
  return dfa.fallback[state]!
}

/** Every byte that a row names, and one byte that no row names. */
const LETTERS = [...BYTES, 122]

/** For each reachable state and the dead state, the class of equivalent states, by Moore's algorithm. */
function meanings(dfa: Dfa): Map<number, string> {
  const reached = new Set([dfa.start, 0])
  for (const state of reached) for (const byte of LETTERS) reached.add(next(dfa, state, byte))
  let names = new Map([...reached].map((state) => [state, `${dfa.accept[state]}`]))
  for (let count = 0; new Set(names.values()).size !== count; ) {
    count = new Set(names.values()).size
    const rows = [...reached].map((state) => [state, ...LETTERS.map((byte) => next(dfa, state, byte))] as const)
    const long = rows.map(([state, ...to]) => [state, [state, ...to].map((s) => names.get(s)).join()] as const)
    const short = new Map([...new Set(long.map(([, name]) => name))].map((name, i) => [name, `${i}`]))
    names = new Map(long.map(([state, name]) => [state, short.get(name)!]))
  }
  return names
}

describe('minimising an automaton', () => {
  it('leaves as many states as there are different meanings', () => {
    fc.assert(
      fc.property(arbitraryDfa, (dfa) => {
        expect(minimise(dfa).accept.length).to.equal(new Set(meanings(dfa).values()).size)
      }),
      { numRuns: 2000 },
    )
  })

  it('changes nothing that it says', () => {
    const words = fc.array(fc.array(fc.constantFrom(...LETTERS), { maxLength: 12 }), { minLength: 10, maxLength: 10 })
    fc.assert(
      fc.property(arbitraryDfa, words, (dfa, all) => {
        const least = minimise(dfa)
        const said = (one: Dfa, word: number[]) =>
          one.accept[word.reduce((state, byte) => next(one, state, byte), one.start)]
        for (const word of all) expect(said(least, word)).to.equal(said(dfa, word))
      }),
      { numRuns: 1000 },
    )
  })

  it('a second time changes nothing', () => {
    fc.assert(
      fc.property(arbitraryDfa, (dfa) => {
        const least = minimise(dfa)
        expect(minimise(least)).to.deep.equal(least)
      }),
    )
  })
})
