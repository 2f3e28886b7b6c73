import type { Machine } from '../machine.ts'
import { run } from '../machine.ts'
import { GlobNodes } from './glob-nodes.ts'

/** A set of nodes in which a path may be. Equal sets are one object. */
export interface GlobState {
  readonly nodes: readonly number[]
  /** Numbers of the globs that match a path which ends here, ascending. */
  readonly matched: readonly number[]
  /** By class of byte; undefined: not walked yet, null: nothing matches from here on. */
  readonly next: (GlobState | null | undefined)[]
}

/** Globs that take too long to evaluate. No real policy has this many. */
export class TooManyCases extends Error {}

/** Nodes that are looked at, over all walks: a second or two. */
const MAX_WORK = 30_000_000

/** Globs of AppArmor as one automaton that is made as it is walked. */
export class GlobMachine implements Machine<GlobState> {
  readonly start: GlobState | undefined
  readonly classOf: Uint8Array
  readonly #globs = new GlobNodes()
  readonly #known = new Map<string, GlobState>()
  #work = 0

  constructor(globs: readonly string[]) {
    const begin = globs.map((glob, number) => this.#globs.add(glob, number))
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
    const { free, ends } = this.#globs
    const all = new Set(from)
    for (const node of all) for (const other of free[node]!) all.add(other)
    if (all.size === 0) return null
    this.#spend(all.size)
    const nodes = [...all].sort((a, b) => a - b)
    const key = nodes.join()
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const matched = [...new Set(nodes.map((node) => ends[node]!).filter((number) => number >= 0))].sort((a, b) => a - b)
    const state: GlobState = { nodes, matched, next: [] }
    this.#known.set(key, state)
    return state
  }

  #spend(nodes: number): void {
    this.#work += nodes
    if (this.#work > MAX_WORK)
      throw new TooManyCases('the globs of the AppArmor rules have too many cases to go through')
  }
}
