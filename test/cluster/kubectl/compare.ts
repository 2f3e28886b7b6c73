import type { StepResult } from './scenario.ts'

/** Sorts the errors of an object, because they come in the random order of a Go map. */
const inOrder = (text: string): string =>
  text.replace(/(?:^\* .*\n)+/gm, (errors) => `${errors.trimEnd().split('\n').sort().join('\n')}\n`)

const lines = (text: string): string[] => inOrder(text).replace(/\n$/, '').split('\n')

/** Length of the longest common subsequence of both remainders, for every pair of positions. */
function commonLengths(left: string[], right: string[]): number[][] {
  const table = Array.from({ length: left.length + 1 }, () => new Array<number>(right.length + 1).fill(0))
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      table[i]![j] = left[i] === right[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!)
    }
  }
  return table
}

/** The lines that only one of two texts has, in order: `-` marks lines of the first text, `+` lines of the second. */
export function differingLines(first: string, second: string): string[] {
  const [left, right] = [lines(first), lines(second)]
  const table = commonLengths(left, right)
  const differing: string[] = []
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      i += 1
      j += 1
    } else if (j === right.length || (i < left.length && table[i + 1]![j]! >= table[i]![j + 1]!)) {
      differing.push(`- ${left[i++]}`)
    } else differing.push(`+ ${right[j++]}`)
  }
  return differing
}

/**
 * The differences between two runs of a scenario, as readable text.
 * @param reference results of the correct server (`-`); the other server's lines have `+`
 * @returns an empty text if the runs agree
 */
export function compareRuns(reference: readonly StepResult[], other: readonly StepResult[]): string {
  const parts = reference.flatMap((step, i) => {
    const found = other[i]
    if (found === undefined) return [`$ ${step.line}`, '  was not run']
    const status = step.status === found.status ? [] : [`- exit status ${step.status}`, `+ exit status ${found.status}`]
    const streams = [differingLines(step.stdout, found.stdout), differingLines(step.stderr, found.stderr)]
    const differences = [...status, ...streams.flat()]
    return differences.length === 0 ? [] : [`$ ${step.line}`, ...differences]
  })
  return parts.join('\n')
}
