import { DEAD, type Dfa } from './subset.ts'

/**
 * Splits the states into blocks of equal meaning, first by their marks, with Hopcroft's algorithm (n log n). A state is
 * compared by a signature of its row. The signature omits bytes that lead where the fallback leads, so it does not
 * matter which bytes a row names.
 */
class Partition {
  /** The name of each state's block. */
  readonly blockOf: Int32Array
  private readonly dfa: Dfa
  /** The states, sorted by block: block b is `order[first[b]]` to `order[first[b] + length[b]]`. */
  private readonly order: Int32Array
  private readonly placeOf: Int32Array
  private readonly first: number[] = []
  private readonly length: number[] = []
  /** States that lead to a state: `sources[sourceStart[s]]` to `sources[sourceStart[s + 1]]`. */
  private readonly sourceStart: Int32Array
  private readonly sources: Int32Array

  constructor(dfa: Dfa) {
    const states = dfa.accept.length
    this.dfa = dfa
    this.blockOf = new Int32Array(states)
    this.order = Int32Array.from(dfa.accept.keys())
    this.placeOf = Int32Array.from(dfa.accept.keys())
    this.sourceStart = new Int32Array(states + 1)
    this.sources = new Int32Array(dfa.targets.length + states)
    this.collectSources()
    this.splitByMarks()
    this.refine()
  }

  get size(): number {
    return this.first.length
  }

  private collectSources(): void {
    const { fallback, rowStart, targets } = this.dfa
    const { sourceStart, sources } = this
    for (const target of fallback) sourceStart[target + 1]!++
    for (const target of targets) sourceStart[target + 1]!++
    for (let s = 0; s < fallback.length; s++) sourceStart[s + 1]! += sourceStart[s]!
    const next = sourceStart.slice()
    for (let s = 0; s < fallback.length; s++) {
      sources[next[fallback[s]!]!++] = s
      for (let i = rowStart[s]!; i < rowStart[s + 1]!; i++) sources[next[targets[i]!]!++] = s
    }
  }

  private splitByMarks(): void {
    const { accept } = this.dfa
    this.order.sort((a, b) => accept[a]! - accept[b]! || a - b)
    for (const [place, state] of this.order.entries()) {
      this.placeOf[state] = place
      const before = this.order[place - 1]
      if (before === undefined || accept[before] !== accept[state]) this.name(place, 0)
      this.blockOf[state] = this.size - 1
      this.length[this.size - 1]!++
    }
  }

  private name(first: number, length: number): number {
    this.length.push(length)
    return this.first.push(first) - 1
  }

  /** Splits blocks in rounds until nothing changes. A round uses the block names of the round before. */
  private refine(): void {
    let due = [...this.order]
    while (due.length > 0) {
      const renamed: number[] = []
      for (const [block, states] of this.byBlock(due)) this.split(block, states, renamed)
      for (const block of renamed) for (const state of this.statesOf(block)) this.blockOf[state] = block
      due = this.leadingTo(renamed)
    }
  }

  private statesOf(block: number): Int32Array {
    const first = this.first[block]!
    return this.order.subarray(first, first + this.length[block]!)
  }

  private byBlock(states: readonly number[]): Map<number, number[]> {
    const groups = new Map<number, number[]>()
    for (const state of states) {
      const block = this.blockOf[state]!
      const group = groups.get(block)
      if (group === undefined) groups.set(block, [state])
      else group.push(state)
    }
    return groups
  }

  /**
   * Splits a block and adds the new names. Only the states in `due` lead to a state with a new name. The other states
   * of the block are still equal to each other, and differ from all states in `due`.
   */
  private split(block: number, due: readonly number[], renamed: number[]): void {
    if (this.length[block] === 1) return
    const parts = [...this.bySignature(due).values()]
    const rest = this.length[block]! - due.length
    if (parts.length === 1 && rest === 0) return
    this.moveToEnd(block, due)
    this.cut(block, parts, rest, renamed)
  }

  private bySignature(states: readonly number[]): Map<string, number[]> {
    const parts = new Map<string, number[]>()
    for (const state of states) {
      const signature = this.signature(state)
      const part = parts.get(signature)
      if (part === undefined) parts.set(signature, [state])
      else part.push(state)
    }
    return parts
  }

  private moveToEnd(block: number, states: readonly number[]): void {
    let place = this.first[block]! + this.length[block]!
    for (const state of states) this.swap(this.placeOf[state]!, --place)
  }

  private swap(a: number, b: number): void {
    const { order, placeOf } = this
    const [stateA, stateB] = [order[a]!, order[b]!]
    order[a] = stateB
    order[b] = stateA
    placeOf[stateA] = b
    placeOf[stateB] = a
  }

  /**
   * Orders the block: the states that are not in `due`, then each part. The largest part keeps the name, so that only
   * states that lead to smaller parts must be compared again.
   */
  private cut(block: number, parts: readonly number[][], rest: number, renamed: number[]): void {
    const first = this.first[block]!
    const pieces = rest === 0 ? [] : [{ first, length: rest }]
    let place = first + rest
    for (const part of parts) {
      pieces.push({ first: place, length: part.length })
      for (const state of part) this.swap(this.placeOf[state]!, place++)
    }
    const [largest, ...others] = pieces.sort((a, b) => b.length - a.length)
    this.first[block] = largest!.first
    this.length[block] = largest!.length
    for (const piece of others) renamed.push(this.name(piece.first, piece.length))
  }

  private leadingTo(blocks: readonly number[]): number[] {
    const found = new Set<number>()
    for (const block of blocks) {
      for (const state of this.statesOf(block)) {
        for (let i = this.sourceStart[state]!; i < this.sourceStart[state + 1]!; i++) found.add(this.sources[i]!)
      }
    }
    return [...found]
  }

  private signature(state: number): string {
    const { fallback, rowStart, bytes, targets } = this.dfa
    const elsewhere = this.blockOf[fallback[state]!]!
    let text = `${elsewhere}`
    for (let i = rowStart[state]!; i < rowStart[state + 1]!; i++) {
      const block = this.blockOf[targets[i]!]!
      if (block !== elsewhere) text += `,${bytes[i]}:${block}`
    }
    return text
  }
}

/**
 * The minimal automaton that marks every path as `dfa` does. States are numbered in the order of a walk from the start,
 * so that automata of equal meaning give equal results.
 */
export function minimise(dfa: Dfa): Dfa {
  const { blockOf, size } = new Partition(dfa)
  const least: Dfa = { start: 0, accept: [], fallback: [], rowStart: [0], bytes: [], targets: [] }
  const numbers = new Int32Array(size).fill(-1)
  const met: number[] = []
  const numberOf = (state: number): number => {
    const block = blockOf[state]!
    if (numbers[block] === -1) numbers[block] = met.push(state) - 1
    return numbers[block]!
  }
  numberOf(DEAD)
  least.start = numberOf(dfa.start)
  for (let number = 0; number < met.length; number++) addRow(dfa, met[number]!, numberOf, least)
  return least
}

function addRow(dfa: Dfa, state: number, numberOf: (state: number) => number, least: Dfa): void {
  const fallback = numberOf(dfa.fallback[state]!)
  least.accept.push(dfa.accept[state]!)
  least.fallback.push(fallback)
  for (let i = dfa.rowStart[state]!; i < dfa.rowStart[state + 1]!; i++) {
    const target = numberOf(dfa.targets[i]!)
    if (target === fallback) continue
    least.bytes.push(dfa.bytes[i]!)
    least.targets.push(target)
  }
  least.rowStart.push(least.bytes.length)
}
