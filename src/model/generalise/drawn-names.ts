import { looksRandom } from './letters.ts'

/** So many names that differ in one part of the same length are one pattern, if most of these parts look random. */
const SERIES = 4
const SHARE = 0.6

/** The last part of letters and digits that is as long as what mktemp(3) and its like draw. */
const part = /[0-9A-Za-z]{6,16}(?=[^0-9A-Za-z]*$)/

interface Series {
  parts: Set<string>
  random: number
}

/**
 * Names of one directory that differ in letters and digits which a program has drawn, `job.aB3dE9xQ` to `job.okocqyab`.
 * A single name may look like a word; several do not.
 */
export class DrawnNames {
  /** By name without the part, and its length. */
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

  /** The name with a star for the part; undefined when it is of no series. */
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
