/**
 * The names of one namespace in byte order. A new name costs the same however many there are: it waits in `added` until
 * someone lists, and a list costs a walk over the names anyway.
 */
export class NameOrder {
  private sorted: string[] = []
  private added: string[] = []
  private removed = 0
  private readonly has: (name: string) => boolean

  constructor(has: (name: string) => boolean) {
    this.has = has
  }

  add(name: string): void {
    this.added.push(name)
  }

  remove(): void {
    this.removed++
  }

  /** All names, sorted. The caller does not change the array. */
  names(): readonly string[] {
    if (this.added.length > 0 || this.removed > 0) this.merge()
    return this.sorted
  }

  private merge(): void {
    const fresh = this.added.filter(this.has).sort(byCodeUnit)
    const kept = this.removed > 0 ? this.sorted.filter(this.has) : this.sorted
    this.sorted = mergeSorted(kept, fresh)
    this.added = []
    this.removed = 0
  }
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Both inputs are sorted. A name that was removed and added again is in both, and comes out once. */
function mergeSorted(left: readonly string[], right: readonly string[]): string[] {
  const out: string[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    const next = j >= right.length || (i < left.length && left[i]! <= right[j]!) ? left[i++]! : right[j++]!
    if (out[out.length - 1] !== next) out.push(next)
  }
  return out
}

/** The index of the first element that is not below `key`, in a sorted array. */
export function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
