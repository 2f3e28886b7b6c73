import { MAX_TABLE_BYTES } from './limits.ts'
import type { Marks } from './marks.ts'
import { minimise } from './minimise.ts'
import { PatternTrie, ROOT, type TriePattern } from './pattern-trie.ts'
import { type SubsetBounds, subsetConstruction } from './subset.ts'
import { leastTableBytes, packTable, type Table } from './table.ts'

/**
 * Bounds before minimisation, because patterns with several `**` can have exponentially many states. `edges` is the
 * maximum number of cells in a table, and `steps` take about a second. `statesPerNode` finds small sets of patterns
 * with many states early.
 */
export const compileBounds = {
  nodes: 1 << 20,
  states: 1 << 19,
  edges: 1 << 20,
  steps: 20_000_000,
  statesPerNode: 16,
  /** Up to this number of states, `statesPerNode` does not apply. */
  fewStates: 1 << 17,
}

/** The bounds for a trie of this many nodes. */
function boundsFor(nodes: number, bounds: typeof compileBounds): SubsetBounds {
  return { ...bounds, states: Math.min(bounds.states, Math.max(bounds.fewStates, nodes * bounds.statesPerNode)) }
}

export type CompiledAutomaton =
  | { ok: true; table: Table }
  /** The patterns exceed a bound; `costs`: the share of each pattern in the whole, in the order of the patterns. */
  | { ok: false; bound: string; costs: number[] }

/**
 * Compiles patterns to the minimal deterministic automaton. The marks of a path are the union of the marks of all
 * patterns that match the path, and of the `way` marks of all patterns that match a path below it. The automaton gives
 * `resolve` of these marks. The order of the patterns does not matter.
 */
export function compileAutomaton(
  patterns: readonly TriePattern[],
  marks: Marks,
  resolve: (marks: number) => number = (same) => same,
  bounds = compileBounds,
): CompiledAutomaton {
  const order = [...patterns.keys()].sort((a, b) => compare(patterns[a]!, patterns[b]!))
  const trie = new PatternTrie(marks)
  const tooLarge = (bound: string, visits?: ArrayLike<number>): CompiledAutomaton => {
    const costs = new Array<number>(patterns.length).fill(0)
    for (const [i, cost] of costsOf(trie, visits).entries()) costs[order[i]!] = cost
    return { ok: false, bound, costs }
  }
  for (const i of order) {
    trie.add(patterns[i]!)
    if (trie.size > bounds.nodes) return tooLarge(`${bounds.nodes} places in patterns`)
  }
  const built = subsetConstruction(trie, marks, boundsFor(trie.size, bounds))
  if ('bound' in built) return tooLarge(built.bound, built.visits)
  const least = minimise({ ...built.dfa, accept: built.dfa.accept.map(resolve) })
  const table = leastTableBytes(least) <= MAX_TABLE_BYTES ? packTable(least) : undefined
  if (table === undefined || table.bytes.length > MAX_TABLE_BYTES) {
    return tooLarge(`${MAX_TABLE_BYTES} bytes of table`, built.visits)
  }
  return { ok: true, table }
}

function compare(a: TriePattern, b: TriePattern): number {
  if (a.pattern.text !== b.pattern.text) return a.pattern.text < b.pattern.text ? -1 : 1
  return a.accept - b.accept || a.way - b.way
}

/**
 * For each pattern, its share of all visits of nodes (one visit each, without `visits`). Patterns that share a node
 * divide its visits equally.
 */
function costsOf(trie: PatternTrie, visits?: ArrayLike<number>): number[] {
  const endsBelow = new Int32Array(trie.size)
  for (const end of new Set(trie.ends)) endsBelow[end]!++
  for (let node = trie.size - 1; node > ROOT; node--) endsBelow[trie.parent[node]!]! += endsBelow[node]!
  const downTo = new Float64Array(trie.size)
  for (let node = ROOT + 1; node < trie.size; node++) {
    downTo[node] = downTo[trie.parent[node]!]! + (visits?.[node] ?? 1) / Math.max(1, endsBelow[node]!)
  }
  const all = trie.ends.reduce((sum, end) => sum + downTo[end]!, 0)
  return trie.ends.map((end) => (all === 0 ? 0 : downTo[end]! / all))
}
