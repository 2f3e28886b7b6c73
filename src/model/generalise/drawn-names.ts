import { looksRandom } from './letters.ts'

/**
 * Minimum number of names for a pattern: they differ in one part of equal length, and most of these parts look random.
 */
const SERIES = 4
const SHARE = 0.6

/**
 * Matches the last sequence of letters and digits, if it is as long as the random parts of mktemp(3) and similar
 * functions.
 */
const part = /[0-9A-Za-z]{6,16}(?=[^0-9A-Za-z]*$)/

interface Series {
  parts: Set<string>
  random: number
}

/**
 * Finds names of one directory that differ only in random letters and digits, such as `job.aB3dE9xQ` and
 * `job.okocqyab`. One random part may look like a word by chance, but not several parts.
 */
export class DrawnNames {
  /** Keyed by the name without the part, and by the length of the part. */
  private readonly series = new Map<string, Series>()

  see(name: string): void {
    const found = part.exec(name)
    if (found === null) return
    const series = this.series.get(keyOf(name, found)) ?? { parts: new Set(), random: 0 }
    this.series.set(keyOf(name, found), series)
    const [drawn] = found
    if (series.parts.has(drawn)) return
    series.parts.add(drawn)
    if (looksRandom(drawn, true)) series.random += 1
  }

  /** The name with a star in place of the part; undefined if the name is not in a series. */
  patternOf(name: string): string | undefined {
    const found = part.exec(name)
    if (found === null) return undefined
    const series = this.series.get(keyOf(name, found))
    if (series === undefined || series.parts.size < SERIES || series.random < series.parts.size * SHARE)
      return undefined
    return `${name.slice(0, found.index)}*${name.slice(found.index + found[0].length)}`
  }
}

const keyOf = (name: string, { 0: { length }, index }: RegExpExecArray): string =>
  `${name.slice(0, index)}\0${length}\0${name.slice(index + length)}`
