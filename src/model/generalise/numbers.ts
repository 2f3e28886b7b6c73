/** Minimum number of names for a pattern; these names differ only in numbers. */
const SERIES = 4

/** The numbers in a name. */
const digits = /\d+/g

/**
 * Finds names of one directory that differ only in their numbers, such as `part-1` and `part-9`. Small numbers count as
 * varying only if several were recorded.
 */
export class Numbers {
  /** The values at each place, keyed by the name without its numbers. */
  private readonly series = new Map<string, { names: Set<string>; values: Set<string>[] }>()

  see(name: string): void {
    const values = name.match(digits)
    if (values === null) return
    const key = name.replace(digits, '\0')
    const known = this.series.get(key) ?? { names: new Set(), values: values.map(() => new Set<string>()) }
    known.names.add(name)
    for (const [i, value] of values.entries()) known.values[i]!.add(value)
    this.series.set(key, known)
  }

  /** The name with a star in place of each number that varies; undefined if the name is not in a series. */
  patternOf(name: string): string | undefined {
    const series = this.series.get(name.replace(digits, '\0'))
    if (series === undefined || series.names.size < SERIES) return undefined
    let i = 0
    return name.replace(digits, (value) => (series.values[i++]!.size > 1 ? '*' : value))
  }
}
