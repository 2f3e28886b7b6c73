/**
 * What an automaton says of a path: a set, held as a number, so that a state carries one number and not a list.
 * 0 is the empty set.
 */
export interface Marks {
  union(a: number, b: number): number
  /** Whether all of `b` is in `a`. */
  covers(a: number, b: number): boolean
}

/** The number's bits are the set: for flags of up to 31 bits. */
export const bitMarks: Marks = {
  union: (a, b) => a | b,
  covers: (a, b) => (a & b) === b,
}

/** Most different sets, so that two numbers of sets make one safe integer. */
const MAX_SETS = 2 ** 26

/** Sets of rule numbers of any size; each set that turns up gets the next number. */
export class SetMarks implements Marks {
  private readonly sets: bigint[] = [0n]
  // By text: Node.js finds a bigint in a Map by its lowest 64 bits only.
  private readonly numbers = new Map<string, number>([['0', 0]])
  private readonly unions = new Map<number, number>()

  /** The set of one rule. */
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

  /** The set behind the number, rule 0 in the lowest bit. */
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
