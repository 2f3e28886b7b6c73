import { expect } from 'chai'
import fc from 'fast-check'
import { pathsOnTheWay } from '../../../src/profile/ancestor-paths.ts'
import { compileAutomaton, compileBounds } from '../../../src/profile/bpf/automaton.ts'
import { MAX_TABLE_BYTES } from '../../../src/profile/bpf/limits.ts'
import { bitMarks } from '../../../src/profile/bpf/marks.ts'
import type { TriePattern } from '../../../src/profile/bpf/pattern-trie.ts'
import { type Table, walk } from '../../../src/profile/bpf/table.ts'
import { matchesPath } from '../../../src/profile/path-pattern.ts'
import { arbitraryPath, arbitraryPattern, pathsNear, patternOf } from '../arbitrary-patterns.ts'

const arbitraryRule: fc.Arbitrary<TriePattern> = fc.record({
  pattern: arbitraryPattern,
  accept: fc.integer({ min: 1, max: 7 }),
  way: fc.constantFrom(0, 8, 16),
})
const arbitraryRules = fc.array(arbitraryRule, { minLength: 1, maxLength: 7 })

/** Rules with two kinds of paths: paths that the rules match or almost match, and arbitrary paths. */
const rulesAndPaths = arbitraryRules.chain((rules) =>
  fc.tuple(
    fc.constant(rules),
    fc.array(fc.oneof(arbitraryPath, ...rules.map(({ pattern }) => pathsNear(pattern))), {
      minLength: 12,
      maxLength: 12,
    }),
  ),
)

function tableOf(rules: readonly TriePattern[]): Table {
  const compiled = compileAutomaton(rules, bitMarks)
  if (!compiled.ok) throw new Error(compiled.bound)
  return compiled.table
}

/** The expected result of the automaton, computed for each word separately. */
function naive(rules: readonly TriePattern[], path: Uint8Array): number {
  let flags = 0
  for (const { pattern, accept, way } of rules) {
    if (matchesPath(pattern, path)) flags |= accept
    if (pathsOnTheWay(pattern).some((directory) => matchesPath(directory, path))) flags |= way
  }
  return flags
}

/** Reads the table by its documented layout (rows of target offsets by class, and marks), without the compiler. */
function rowsOf({ bytes, start, cellCount }: Table): Map<number, { targets: number[]; marks: number }> {
  const view = new DataView(bytes.buffer)
  const cell = (state: number, c: number) => {
    const value = view.getUint32(256 + 4 * (state + c), true)
    return value % 256 === c ? Math.floor(value / 256) : undefined
  }
  const classes = [...new Set(bytes.subarray(0, 256))]
  const rows = new Map<number, { targets: number[]; marks: number }>()
  const due = [start, 0]
  for (let state = due.pop(); state !== undefined; state = due.pop()) {
    if (rows.has(state)) continue
    const at = state
    const targets = classes.map((c) => cell(at, c) ?? cell(at, 0) ?? 0)
    rows.set(at, { targets, marks: view.getUint32(256 + 4 * (cellCount + (cell(at, 1) ?? 0)), true) })
    due.push(...targets)
  }
  return rows
}

/** Number of classes of equivalent states (Moore's algorithm): split by marks, then repeatedly by targets. */
function differentStates(table: Table): number {
  const rows = rowsOf(table)
  let names = new Map([...rows].map(([state, { marks }]) => [state, `${marks}`]))
  for (let count = 0; ; ) {
    const next = new Map(
      [...rows].map(([state, { targets }]) => [state, [state, ...targets].map((s) => names.get(s)).join()]),
    )
    const short = new Map([...new Set(next.values())].map((name, i) => [name, `${i}`]))
    if (short.size === count) return count
    count = short.size
    names = new Map([...next].map(([state, name]) => [state, short.get(name)!]))
  }
}

describe('the automaton of a profile', () => {
  it('gives a path the flags of every rule that matches it, and of every way that it is on', () => {
    fc.assert(
      fc.property(rulesAndPaths, ([rules, paths]) => {
        const table = tableOf(rules)
        for (const path of paths) expect(walk(table, path), path.toString('latin1')).to.equal(naive(rules, path))
      }),
      { numRuns: 500 },
    )
  })

  it('has no two states of equal meaning, and says how many it has', () => {
    fc.assert(
      fc.property(arbitraryRules, (rules) => {
        const table = tableOf(rules)
        expect(table.states).to.equal(rowsOf(table).size)
        expect(differentStates(table)).to.equal(table.states)
      }),
      { numRuns: 300 },
    )
  })

  it('has no two classes of bytes that no state distinguishes', () => {
    fc.assert(
      fc.property(arbitraryRules, (rules) => {
        const table = tableOf(rules)
        const columns = [...rowsOf(table).values()].map(({ targets }) => targets)
        const different = new Set(columns[0]!.map((_, c) => columns.map((targets) => targets[c]).join()))
        expect(different.size).to.equal(table.classes)
      }),
      { numRuns: 300 },
    )
  })

  it('is the same bytes whatever the order of the rules, and however often one is repeated', () => {
    const shuffled = arbitraryRules.chain((rules) =>
      fc.tuple(fc.constant(rules), fc.shuffledSubarray([...rules, ...rules], { minLength: rules.length * 2 })),
    )
    fc.assert(
      fc.property(shuffled, ([rules, others]) => {
        expect(Buffer.from(tableOf(others).bytes).equals(tableOf(rules).bytes)).to.equal(true)
      }),
    )
  })

  it('matches exactly: no prefix, no suffix', () => {
    const table = tableOf([{ pattern: patternOf('/a/secret'), accept: 1, way: 0 }])
    const flags = ['/a/secret', '/a/secret2', '/a/secre', '/a', '/a/secret/x'].map((path) =>
      walk(table, Buffer.from(path)),
    )
    expect(flags).to.deep.equal([1, 0, 0, 0, 0])
  })

  it('has a class for bytes above 127 where a pattern has them', () => {
    const table = tableOf([{ pattern: patternOf('/ü*'), accept: 1, way: 0 }])
    expect(walk(table, Buffer.from('/übel'))).to.equal(1)
    expect(walk(table, Buffer.from([0x2f, 0xc3, 0x80]))).to.equal(0)
  })

  it('keeps the table within its size', () => {
    const { bytes, cellCount, accepts } = tableOf([{ pattern: patternOf('/a/**'), accept: 3, way: 4 }])
    expect(bytes.length).to.equal(256 + 4 * (cellCount + accepts.length))
    expect(bytes.length).to.be.at.most(MAX_TABLE_BYTES)
  })
})

describe('many patterns', () => {
  const many = (count: number, text: (i: number) => string): TriePattern[] =>
    Array.from({ length: count }, (_, i) => ({ pattern: patternOf(text(i)), accept: 1 << (i % 4), way: 16 }))

  // The number of states grows with the text of the patterns, and not with the square of their number.
  const linear: [string, (i: number) => string, number][] = [
    ['exact', (i) => `/srv/data/${i}/file`, 1000],
    ['prefixes', (i) => `/srv/${i}/**`, 1000],
    ['suffixes', (i) => `/**/name-${i}`, 1000],
    ['file names by ending', (i) => `*.${i}x`, 1000],
    ['file names by beginning', (i) => `n${i}-*`, 1000],
    ['both ends', (i) => `/srv/${i}/**/name`, 1000],
    ['two ** each, one way in', (i) => `/srv/${i}/**/a/**/b`, 1000],
  ]
  for (const [shape, text, count] of linear) {
    it(`${count} ${shape} make no more states than the patterns have bytes, twice over`, () => {
      const patterns = many(count, text)
      const size = patterns.reduce((sum, { pattern }) => sum + pattern.text.length, 0)
      const table = tableOf(patterns)
      expect(table.states).to.be.below(2 * size)
      for (const { pattern, accept } of patterns.slice(0, 20)) {
        const text = pattern.text.replace(/\*+/g, 'x')
        const path = Buffer.from(text.startsWith('/') ? text : `/${text}`)
        expect(walk(table, path) & accept, pattern.text).to.equal(accept)
      }
    })
  }

  const hostile: [string, TriePattern[]][] = [
    ['of 4,096 bytes', many(50, (i) => `/${'ab/'.repeat(1364)}${i % 10}`)],
    ['with ** 1,000 times', many(10, (i) => `/${'a**'.repeat(1000)}${i}`)],
    ['with * 1,000 times', many(10, (i) => `/${'a*'.repeat(1000)}${i}`)],
    ['with /**/ 800 times', many(10, (i) => `${'/**/a'.repeat(800)}${i}`)],
    ['equal to 9,999 others', many(10_000, () => '/srv/**/x')],
  ]
  for (const [what, patterns] of hostile) {
    it(`${what} compile`, () => {
      const max = Math.max(...patterns.map(({ pattern }) => pattern.text.length))
      expect(tableOf(patterns).states).to.be.below(max * 10)
    })
  }

  it('that need exponentially many states are refused, and those at fault cost most', () => {
    const harmless = many(200, (i) => `/etc/conf-${i}`)
    const wild = many(40, (i) => `/**/from${i}/**/to${i}`)
    const compiled = compileAutomaton([...harmless, ...wild], bitMarks)
    expect(compiled.ok).to.equal(false)
    if (compiled.ok) return
    expect(compiled.bound).to.match(/before minimisation|steps/)
    const costOf = (costs: number[]) => costs.reduce((sum, cost) => sum + cost, 0)
    expect(costOf(compiled.costs)).to.be.closeTo(1, 1e-6)
    expect(costOf(compiled.costs.slice(200))).to.be.above(0.9)
  })

  it('of a single kind that counts segments are refused, too', () => {
    const compiled = compileAutomaton(
      many(1, () => `/**/a${'/*'.repeat(40)}/b`),
      bitMarks,
    )
    expect(compiled).to.deep.include({ ok: false, costs: [1] })
  })

  it('with a table above the bound are refused by it', () => {
    const bounds = { ...compileBounds, nodes: 100 }
    const compiled = compileAutomaton(
      many(200, (i) => `/a/file-${i}`),
      bitMarks,
      undefined,
      bounds,
    )
    expect(compiled.ok ? '' : compiled.bound).to.equal('100 places in patterns')
  })
})
