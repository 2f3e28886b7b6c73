/** So many names that differ only in numbers are one pattern. */
const SERIES = 4

/** Digits in a name, and what is between them. */
const digits = /\d+/g

/**
 * Names of one directory that differ in their numbers alone, `part-1` to `part-9`: small numbers vary only where
 * several of them were seen.
 */
export class Numbers {
  /** By name without its numbers: the values at each place. */
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

  /** The name with a star for each number that was seen with several values; undefined when it is of no series. */
  patternOf(name: string): string | undefined {
    const series = this.series.get(name.replace(digits, '\0'))
    if (series === undefined || series.names.size < SERIES) return undefined
    let i = 0
    return name.replace(digits, (value) => (series.values[i++]!.size > 1 ? '*' : value))
  }
}
