import type { Marks } from './marks.ts'
import { DIRECTORY_LOOP, NO_LOOP, PATH_LOOP, type PatternTrie, ROOT, SEGMENT_LOOP, SLASH } from './pattern-trie.ts'
import { factsOf, type TrieFacts } from './trie-facts.ts'

/**
 * A deterministic automaton with sparse rows. A byte without an entry in the row leads to the `fallback`. State `DEAD`
 * matches nothing. No row has NUL, because no path contains NUL.
 */
export interface Dfa {
  start: number
  /** Indexed by state. */
  accept: number[]
  fallback: number[]
  /** The row of state s is the entries `rowStart[s]` to `rowStart[s + 1]` of `bytes` and `targets`, sorted by byte. */
  rowStart: number[]
  bytes: number[]
  targets: number[]
}

export const DEAD = 0

export interface SubsetBounds {
  /** Maximum states and explicit edges before minimisation. */
  states: number
  edges: number
  /** Maximum nodes added to sets plus edges visited. This limits the time. */
  steps: number
}

/** For each node of the trie, the number of states that contain it. It shows which patterns cause many states. */
type Visits = { visits: Uint32Array }

/**
 * Interned sets of nodes. A set is `[always, segment, ...nodes]`. The path gets the marks `always` however it
 * continues, and the marks `segment` if it ends within the current segment.
 */
class StateSets {
  private readonly start: number[] = []
  private pool = new Int32Array(1 << 16)
  private used = 0
  private slots = new Int32Array(1 << 12)

  get size(): number {
    return this.start.length
  }

  get(state: number): Int32Array {
    return this.pool.subarray(this.start[state]!, this.start[state + 1] ?? this.used)
  }

  /** The state with this set, added if it is new. */
  intern(set: number[]): number {
    let slot = hash(set) & (this.slots.length - 1)
    for (; this.slots[slot] !== 0; slot = (slot + 1) & (this.slots.length - 1)) {
      const state = this.slots[slot]! - 1
      if (equal(this.get(state), set)) return state
    }
    const state = this.append(set)
    this.slots[slot] = state + 1
    if (this.size * 2 > this.slots.length) this.rehash()
    return state
  }

  private append(set: number[]): number {
    if (this.used + set.length > this.pool.length) {
      const pool = new Int32Array(Math.max(this.pool.length * 2, this.used + set.length))
      pool.set(this.pool)
      this.pool = pool
    }
    this.start.push(this.used)
    this.pool.set(set, this.used)
    this.used += set.length
    return this.size - 1
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 2)
    for (let state = 0; state < this.size; state++) {
      let slot = hash(this.get(state)) & (this.slots.length - 1)
      while (this.slots[slot] !== 0) slot = (slot + 1) & (this.slots.length - 1)
      this.slots[slot] = state + 1
    }
  }
}

function hash(set: ArrayLike<number>): number {
  let h = set.length
  for (let i = 0; i < set.length; i++) h = Math.imul(h ^ set[i]!, 0x9e3779b1) ^ (h >>> 15)
  return (h ^ (h >>> 16)) >>> 0
}

function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Insertion sort, because the list is usually short and nearly sorted. */
function sortNumbers(numbers: number[]): void {
  if (numbers.length > 64) {
    numbers.sort((a, b) => a - b)
    return
  }
  for (let i = 1; i < numbers.length; i++) {
    const number = numbers[i]!
    let at = i
    for (; at > 0 && numbers[at - 1]! > number; at--) numbers[at] = numbers[at - 1]!
    numbers[at] = number
  }
}

class Construction {
  readonly dfa: Dfa = { start: 0, accept: [], fallback: [], rowStart: [0], bytes: [], targets: [] }
  readonly visits: Uint32Array
  private readonly trie: PatternTrie
  private readonly marks: Marks
  private readonly facts: TrieFacts
  private readonly bounds: SubsetBounds
  private readonly sets = new StateSets()
  private steps = 0
  /** Marks of the set that is being built. */
  private always = 0
  private segment = 0
  private nodes: number[] = []
  /** For each node: the number of the set to which it was last added, so that no set gets it twice. */
  private readonly putIn: Uint32Array
  private setNumber = 0
  /** For each branch: the deepest loop in the set `setNumber`. */
  private readonly deepest: { path: Int32Array; segment: Int32Array; setNumber: Uint32Array }
  /** For each byte: the nodes to which edges of the current state lead. */
  private readonly byByte: number[][] = Array.from({ length: 256 }, () => [])

  constructor(trie: PatternTrie, marks: Marks, bounds: SubsetBounds) {
    this.trie = trie
    this.marks = marks
    this.bounds = bounds
    this.facts = factsOf(trie, marks)
    this.visits = new Uint32Array(trie.size)
    this.putIn = new Uint32Array(trie.size)
    this.deepest = {
      path: new Int32Array(trie.size),
      segment: new Int32Array(trie.size),
      setNumber: new Uint32Array(trie.size),
    }
  }

  /** @returns the exceeded bound */
  run(): string | undefined {
    this.begin(0, 0)
    if (this.finish() !== DEAD) throw new Error('the empty set is not the first state')
    this.begin(0, 0)
    this.put(ROOT)
    this.dfa.start = this.finish()
    for (let state = 0; state < this.sets.size; state++) {
      this.expand(state)
      const { states, edges, steps } = this.bounds
      if (this.sets.size > states) return `${states} states before minimisation`
      if (this.dfa.bytes.length > edges) return `${edges} edges before minimisation`
      if (this.steps > steps) return `${steps} steps of compilation`
    }
    return undefined
  }

  private begin(always: number, segment: number): void {
    this.always = always
    this.segment = segment
    this.nodes = []
    this.setNumber++
  }

  /** Adds a node to the set, and all nodes that it reaches without a byte. */
  private put(node: number): void {
    if (this.putIn[node] === this.setNumber) return
    this.putIn[node] = this.setNumber
    this.steps++
    const { loop, accept, firstChild, nextSibling } = this.trie
    const kind = loop[node]!
    if (kind === PATH_LOOP || kind === DIRECTORY_LOOP) this.always = this.marks.union(this.always, accept[node]!)
    else if (kind === SEGMENT_LOOP) this.segment = this.marks.union(this.segment, accept[node]!)
    // A `*` or `**` at the end of a pattern has no further effect than its marks.
    if (kind === NO_LOOP || this.facts.isLeaf[node] === 0) this.nodes.push(node)
    for (let child = firstChild[node]!; child >= 0; child = nextSibling[child]!) {
      if (this.trie.loop[child] === NO_LOOP) continue
      this.put(child)
      if (this.trie.loop[child] === DIRECTORY_LOOP) this.put(firstChild[child]!)
    }
  }

  /** Returns the state of the set that was built, added if it is new. */
  private finish(): number {
    const kept = this.kept()
    sortNumbers(kept)
    this.segment = this.marks.covers(this.always, this.segment) ? 0 : this.marks.union(this.always, this.segment)
    const before = this.sets.size
    const state = this.sets.intern([this.always, this.segment, ...kept])
    if (this.sets.size > before) {
      let accept = this.marks.union(this.always, this.segment)
      for (const node of kept) {
        accept = this.marks.union(accept, this.trie.accept[node]!)
        this.visits[node]!++
      }
      this.dfa.accept.push(accept)
    }
    return state
  }

  /** The nodes of the set without superfluous nodes; see trie-facts.ts. */
  private kept(): number[] {
    const { loop } = this.trie
    for (const node of this.nodes) if (loop[node] !== NO_LOOP) this.noteLoop(node)
    const now = this.marks.union(this.always, this.segment)
    return this.nodes.filter((node) => {
      if (this.marks.covers(this.always, this.facts.below[node]!)) return false
      if (this.facts.local[node] === 1 && this.marks.covers(now, this.facts.below[node]!)) return false
      return !this.isBehindLoop(node)
    })
  }

  private noteLoop(node: number): void {
    const branch = this.facts.branch[node]!
    const { path, segment, setNumber } = this.deepest
    if (setNumber[branch] !== this.setNumber) {
      setNumber[branch] = this.setNumber
      path[branch] = ROOT
      segment[branch] = ROOT
    }
    const deepest = this.trie.loop[node] === SEGMENT_LOOP ? segment : path
    if (deepest[branch] === ROOT || this.facts.depth[node]! > this.facts.depth[deepest[branch]!]!) {
      deepest[branch] = node
    }
  }

  private isBehindLoop(node: number): boolean {
    const branch = this.facts.branch[node]!
    if (this.deepest.setNumber[branch] !== this.setNumber) return false
    return this.isBehind(node, this.deepest.path[branch]!) || this.isBehind(node, this.deepest.segment[branch]!)
  }

  private isBehind(node: number, loop: number): boolean {
    const depth = this.facts.depth[node]!
    return loop !== ROOT && depth < this.facts.depth[loop]! && depth >= this.facts.topOf[loop]!
  }

  private expand(state: number): void {
    const [always = 0, segment = 0, ...nodes] = this.sets.get(state)
    const touched = this.sortEdges(nodes)
    this.steps += nodes.length * (touched.length + 1)
    const fallback = this.target(always, segment, nodes, NONE)
    this.dfa.fallback.push(fallback)
    for (const byte of touched) {
      const target = this.target(always, segment, nodes, byte)
      this.byByte[byte] = []
      if (target === fallback) continue
      this.dfa.bytes.push(byte)
      this.dfa.targets.push(target)
    }
    this.dfa.rowStart.push(this.dfa.bytes.length)
  }

  /** Collects the edges of all nodes in `byByte`. @returns the bytes with an edge, and `/`, in ascending order */
  private sortEdges(nodes: readonly number[]): number[] {
    const { firstChild, nextSibling, label, loop } = this.trie
    const touched = [SLASH]
    for (const node of nodes) {
      if (loop[node] === DIRECTORY_LOOP) continue
      for (let child = firstChild[node]!; child >= 0; child = nextSibling[child]!) {
        const byte = label[child]!
        this.steps++
        if (byte < 0) continue
        const edges = this.byByte[byte]!
        if (edges.length === 0 && byte !== SLASH) touched.push(byte)
        edges.push(child)
      }
    }
    return touched.sort((a, b) => a - b)
  }

  private target(always: number, segment: number, nodes: readonly number[], byte: number): number {
    const { loop, firstChild } = this.trie
    this.begin(always, byte === SLASH ? 0 : segment)
    for (const node of nodes) {
      const kind = loop[node]!
      if (kind === PATH_LOOP || kind === DIRECTORY_LOOP || (kind === SEGMENT_LOOP && byte !== SLASH)) this.put(node)
      if (kind === DIRECTORY_LOOP && byte === SLASH) this.put(firstChild[node]!)
    }
    if (byte !== NONE) for (const child of this.byByte[byte]!) this.put(child)
    return this.finish()
  }
}

const NONE = -1

/**
 * Builds the deterministic automaton in which the state after a path has the union of the path's marks. Stops at the
 * first exceeded bound and returns it.
 */
export function subsetConstruction(
  trie: PatternTrie,
  marks: Marks,
  bounds: SubsetBounds,
): (Visits & { dfa: Dfa }) | (Visits & { bound: string }) {
  const construction = new Construction(trie, marks, bounds)
  const bound = construction.run()
  const { visits, dfa } = construction
  return bound === undefined ? { visits, dfa } : { visits, bound }
}
