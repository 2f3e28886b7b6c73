import type { Marks } from './marks.ts'
import { DIRECTORY_LOOP, NO_LOOP, PATH_LOOP, type PatternTrie, ROOT, SEGMENT_LOOP, SLASH } from './pattern-trie.ts'

// What the subset construction must know of each node, found once for the whole trie in a pass or two.
//
// A set of nodes is kept small by leaving out what adds nothing, else `**` would make sets, and so states, multiply:
// - A loop node makes the places before it on its own branch superfluous: whatever matches from there, matches from the
//   loop too. `topOf` is the first such place of each loop.
// - Nodes from which only marks can follow that the path already has are superfluous (`below`).

export interface TrieFacts {
  /** All marks that can be met from the node on. */
  below: Int32Array
  depth: Int32Array
  /** The node's branch, as the number of its lowest node: nodes that have an only child share its branch. */
  branch: Int32Array
  /** For a loop node, the least depth on its branch from which on nodes are superfluous beside it. */
  topOf: Int32Array
  /** Whether no way from the node on leads past a `/`. */
  local: Uint8Array
  isLeaf: Uint8Array
}

export function factsOf(trie: PatternTrie, marks: Marks): TrieFacts {
  const { size, parent, label, loop, accept, firstChild, nextSibling } = trie
  const facts: TrieFacts = {
    below: Int32Array.from(accept),
    depth: new Int32Array(size),
    branch: new Int32Array(size),
    topOf: new Int32Array(size),
    local: new Uint8Array(size).fill(1),
    isLeaf: new Uint8Array(size),
  }
  // A child's number is above its parent's, so one pass down the numbers sees children first, one up parents first.
  for (let node = size - 1; node >= 0; node--) {
    const child = firstChild[node]!
    facts.isLeaf[node] = child < 0 ? 1 : 0
    facts.branch[node] = child >= 0 && nextSibling[child]! < 0 ? facts.branch[child]! : node
    if (loop[node] === PATH_LOOP || loop[node] === DIRECTORY_LOOP) facts.local[node] = 0
    const up = parent[node]!
    if (up < 0) continue
    facts.below[up] = marks.union(facts.below[up]!, facts.below[node]!)
    if (facts.local[node] === 0 || label[node] === SLASH) facts.local[up] = 0
  }
  for (let node = 1; node < size; node++) facts.depth[node] = facts.depth[parent[node]!]! + 1
  for (let node = 1; node < size; node++)
    if (loop[node] !== NO_LOOP) facts.topOf[node] = topOf(trie, facts, marks, node)
  return facts
}

function topOf(trie: PatternTrie, facts: TrieFacts, marks: Marks, node: number): number {
  const { parent, label, loop, accept } = trie
  const segment = loop[node] === SEGMENT_LOOP
  let top = node
  for (let up = parent[node]!; top !== ROOT; up = parent[up]!) {
    if (facts.branch[up] !== facts.branch[node] || !marks.covers(accept[node]!, accept[up]!)) break
    // A loop within a segment ends with it, and covers no place before it.
    if (segment && (label[top] === SLASH || loop[up] === PATH_LOOP || loop[up] === DIRECTORY_LOOP)) break
    top = up
    // An earlier loop with the same marks has looked already: a pattern of many loops costs no square.
    if (loop[up] !== NO_LOOP && segment === (loop[up] === SEGMENT_LOOP) && accept[up] === accept[node]) {
      return facts.topOf[up]!
    }
  }
  return facts.depth[top]!
}
