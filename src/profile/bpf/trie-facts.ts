import type { Marks } from './marks.ts'
import { DIRECTORY_LOOP, NO_LOOP, PATH_LOOP, type PatternTrie, ROOT, SEGMENT_LOOP, SLASH } from './pattern-trie.ts'

// Facts about the nodes by which the subset construction leaves superfluous nodes out of its sets. Otherwise `**` would
// multiply the sets, and so the states.

export interface TrieFacts {
  /** All marks that are reachable from the node. A node is superfluous if the path already has these marks. */
  below: Int32Array
  depth: Int32Array
  /** The branch of the node, named by its lowest node. A node with an only child is on the child's branch. */
  branch: Int32Array
  /**
   * For a loop node: the lowest depth on its branch at which nodes are superfluous. Every path that matches from such a
   * node also matches from the loop node.
   */
  topOf: Int32Array
  /** Whether every path from the node on stays within the current segment. */
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
  // A child's number is higher than its parent's, so a downward pass visits children first, and an upward pass parents
  // first.
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
    // A loop within a segment ends with the segment, so it does not make nodes of earlier segments superfluous.
    if (segment && (label[top] === SLASH || loop[up] === PATH_LOOP || loop[up] === DIRECTORY_LOOP)) break
    top = up
    // An earlier loop with the same marks has the same result. So a pattern with many loops takes linear time.
    if (loop[up] !== NO_LOOP && segment === (loop[up] === SEGMENT_LOOP) && accept[up] === accept[node]) {
      return facts.topOf[up]!
    }
  }
  return facts.depth[top]!
}
