/** Counts values by size, for metrics. Callers add many values at once, so that single events cost nothing. */
export class Histogram {
  /** Upper bounds of the buckets, ascending and inclusive. Larger values are in `count`, but not in a bucket. */
  readonly bounds: readonly number[]
  /** Number of values in each bucket alone. */
  readonly #counts: Float64Array
  count = 0
  sum = 0

  constructor(bounds: readonly number[]) {
    if (bounds.some((bound, i) => Number.isNaN(bound) || bound <= (bounds[i - 1] ?? Number.NEGATIVE_INFINITY)))
      throw new RangeError('the bounds of a histogram must ascend')
    this.bounds = bounds
    this.#counts = new Float64Array(bounds.length)
  }

  /** Adds `times` values of one size. */
  add(value: number, times = 1): void {
    this.count += times
    this.sum += value * times
    const bucket = this.bounds.findIndex((bound) => value <= bound)
    if (bucket !== -1) this.#counts[bucket]! += times
  }

  /** For each bound, the number of values that are at most this bound. */
  cumulative(): number[] {
    let below = 0
    return Array.from(this.#counts, (count) => {
      below += count
      return below
    })
  }
}
