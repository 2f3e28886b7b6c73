import type { Machine } from '../machine.ts'
import { run } from '../machine.ts'
import { GlobNodes } from './glob-nodes.ts'

/** The set of nodes that a path reaches. Equal sets share one object, so that `===` compares them. */
export interface GlobState {
  readonly nodes: readonly number[]
  /** Numbers of the globs that match a path that ends here, ascending. */
  readonly matched: readonly number[]
  /** The next state, by class of byte. Undefined: not computed yet. Null: no glob can match after this byte. */
  readonly next: (GlobState | null | undefined)[]
}

/** The globs take too long to evaluate. No real policy has such globs. */
export class TooManyCases extends Error {}

/** Maximum number of nodes that all walks together visit: one or two seconds. */
const MAX_WORK = 30_000_000

/**
 * A hash of the node. A set has the sum of its nodes' hashes, so different sets differ (the finalizer of MurmurHash3).
 */
function scattered(node: number): number {
  let hash = node + 1
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** AppArmor globs as one deterministic automaton, which is built while it is walked. */
export class GlobMachine implements Machine<GlobState> {
  readonly start: GlobState | undefined
  readonly classOf: Uint8Array
  readonly #globs = new GlobNodes()
  /** The known states, by the hash of their nodes. */
  readonly #known = new Map<number, GlobState[]>()
  /** For each node, the number of the last state that contains it. */
  readonly #seen: Uint32Array
  #states = 0
  #work = 0

  constructor(globs: readonly string[]) {
    const begin = globs.map((glob, number) => this.#globs.add(glob, number))
    this.#seen = new Uint32Array(this.#globs.set.length)
    this.classOf = this.#globs.classes()
    this.start = this.#state(begin) ?? undefined
  }

  /** @throws {TooManyCases} */
  step(state: GlobState, byte: number): GlobState | undefined {
    const group = this.classOf[byte]!
    let next = state.next[group]
    if (next === undefined) {
      next = this.#after(state, byte)
      state.next[group] = next
    }
    return next ?? undefined
  }

  /** Numbers of the globs that match. @throws {TooManyCases} */
  matching(text: string): readonly number[] {
    const bytes = Buffer.from(text)
    return run(this, bytes)?.matched ?? []
  }

  #after({ nodes }: GlobState, byte: number): GlobState | null {
    const { set, sets, next } = this.#globs
    this.#spend(nodes.length)
    const reached: number[] = []
    for (const node of nodes) {
      const number = set[node]!
      if (number >= 0 && sets[number]![byte] === 1) reached.push(next[node]!)
    }
    return this.#state(reached)
  }

  #state(from: readonly number[]): GlobState | null {
    const { free } = this.#globs
    this.#states++
    const nodes: number[] = []
    this.#addNew(from, nodes)
    for (let at = 0; at < nodes.length; at++) this.#addNew(free[nodes[at]!]!, nodes)
    if (nodes.length === 0) return null
    this.#spend(nodes.length)
    let hash = 0
    for (const node of nodes) hash = (hash + scattered(node)) | 0
    const alike = this.#known.get(hash) ?? []
    const known = alike.find((one) => this.#isLast(one.nodes, nodes.length))
    if (known !== undefined) return known
    const state: GlobState = { nodes, matched: this.#matched(nodes), next: [] }
    alike.push(state)
    this.#known.set(hash, alike)
    return state
  }

  #addNew(from: readonly number[], nodes: number[]): void {
    for (const node of from) {
      if (this.#seen[node] === this.#states) continue
      this.#seen[node] = this.#states
      nodes.push(node)
    }
  }

  /** Whether these nodes are the nodes of the last state, which has `count` nodes. */
  #isLast(nodes: readonly number[], count: number): boolean {
    return nodes.length === count && nodes.every((node) => this.#seen[node] === this.#states)
  }

  #matched(nodes: readonly number[]): number[] {
    const { ends } = this.#globs
    return [...new Set(nodes.map((node) => ends[node]!).filter((number) => number >= 0))].sort((a, b) => a - b)
  }

  #spend(nodes: number): void {
    this.#work += nodes
    if (this.#work > MAX_WORK) throw new TooManyCases('the patterns of the AppArmor rules have too many cases to check')
  }
}
