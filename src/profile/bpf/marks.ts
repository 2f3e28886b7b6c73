/**
 * The sets that an automaton can give for a path. A set is represented by a number, so that a state has one number and
 * not a list. 0 is the empty set.
 */
export interface Marks {
  union(a: number, b: number): number
  /** Whether the set `a` contains the set `b`. */
  covers(a: number, b: number): boolean
}

/** Sets of up to 31 flags: each bit of the number is a flag. */
export const bitMarks: Marks = {
  union: (a, b) => a | b,
  covers: (a, b) => (a & b) === b,
}

/** Maximum number of different sets, so that two set numbers fit into one safe integer. */
const MAX_SETS = 2 ** 26

/** Sets of rule numbers, of any size. A new set gets the next number. */
export class SetMarks implements Marks {
  private readonly sets: bigint[] = [0n]
  // Keys are texts, because a Map of Node.js hashes only the lowest 64 bits of a bigint.
  private readonly numbers = new Map<string, number>([['0', 0]])
  private readonly unions = new Map<number, number>()

  /** The set with one rule. */
  of(rule: number): number {
    return this.intern(1n << BigInt(rule))
  }

  union(a: number, b: number): number {
    if (a === b || b === 0) return a
    if (a === 0) return b
    const key = Math.min(a, b) * MAX_SETS + Math.max(a, b)
    const known = this.unions.get(key)
    if (known !== undefined) return known
    const united = this.intern(this.bits(a) | this.bits(b))
    this.unions.set(key, united)
    return united
  }

  covers(a: number, b: number): boolean {
    return this.union(a, b) === a
  }

  /** The set of this number; rule 0 is the lowest bit. */
  bits(marks: number): bigint {
    return this.sets[marks] ?? 0n
  }

  private intern(set: bigint): number {
    const key = set.toString(32)
    const known = this.numbers.get(key)
    if (known !== undefined) return known
    this.numbers.set(key, this.sets.length)
    return this.sets.push(set) - 1
  }
}
