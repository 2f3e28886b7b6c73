import { ownText } from './room.ts'

/**
 * A hash that puts names in an order that the workload cannot choose: limits keep the names with the smallest hashes.
 * It must be the same on every node and in every release, so that parts of a model can be merged.
 * @returns an integer from 0 to 2^32 - 1
 */
export function nameHash(name: string): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * A second hash for names that are left out. Their first hashes are all large, because names with small hashes are
 * kept.
 */
function lostHash(name: string): number {
  let hash = Math.imul(nameHash(name) ^ 0x9e37_79b9, 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2_ae35)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** Number of kept hashes. The estimate from 64 hashes is at most 12 % wrong in two thirds of all cases. */
const SKETCH = 64
const EXAMPLES = 3
/** Maximum number of characters of an example. */
const EXAMPLE_LENGTH = 256

/** Maximum bytes of a LostNames with examples of usual length. */
export const LOST_BYTES = 1024

/** A LostNames as JSON. */
export interface LostNamesState {
  /** The hashes in ascending order. */
  hashes: number[]
  /** The names of the first hashes, in the same order; an unknown name is an empty text. */
  examples: string[]
}

/**
 * Names that did not fit: their approximate number, and a few examples. A repeated name counts once, also after merges.
 * The counter keeps only the smallest hashes (a k-minimum-values sketch), so a million names take no more memory than a
 * hundred names.
 */
export class LostNames {
  private readonly hashes: number[] = []
  private readonly examples = new Map<number, string>()

  add(name: string): void {
    this.put(lostHash(name), name)
  }

  private put(hash: number, name: string | undefined): void {
    const { hashes } = this
    if (hashes.length === SKETCH && hash > hashes[SKETCH - 1]!) return
    const at = placeOf(hashes, hash)
    if (hashes[at] !== hash) hashes.splice(at, 0, hash)
    if (hashes.length > SKETCH) hashes.pop()
    if (name !== undefined && at < EXAMPLES) this.keepExample(hash, ownText(name.slice(0, EXAMPLE_LENGTH)))
  }

  private keepExample(hash: number, name: string): void {
    const before = this.examples.get(hash)
    if (before === undefined || name < before) this.examples.set(hash, name)
    for (const known of this.examples.keys())
      if (known > (this.hashes[EXAMPLES - 1] ?? known)) this.examples.delete(known)
  }

  merge(other: LostNames): void {
    for (const hash of other.hashes) this.put(hash, other.examples.get(hash))
  }

  /** The number of different names. From 64 on, the number is an estimate. */
  get count(): number {
    if (this.hashes.length < SKETCH) return this.hashes.length
    return Math.round(((SKETCH - 1) * 2 ** 32) / (this.hashes[SKETCH - 1]! + 1))
  }

  state(): LostNamesState {
    return { hashes: [...this.hashes], examples: this.firstNames() }
  }

  private firstNames(): string[] {
    return this.hashes.slice(0, EXAMPLES).map((hash) => this.examples.get(hash) ?? '')
  }

  /** Some of the names, cut to 256 characters. */
  get names(): string[] {
    return this.firstNames().filter((name) => name !== '')
  }

  static of({ hashes, examples }: LostNamesState): LostNames {
    const lost = new LostNames()
    for (const [i, hash] of hashes.slice(0, SKETCH).entries()) lost.put(hash >>> 0, examples[i] || undefined)
    return lost
  }
}

/** The index of the first number that is not smaller than `wanted`. */
function placeOf(sorted: readonly number[], wanted: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
