import type { FieldError } from '../../api/field-error.ts'

/** Maximum number of costly rules that get an error. */
const NAMED = 5

/** An error at each of the most costly rules. `costs` are in the order of the rules. */
export function tooLargeErrors(
  { bound, costs, remedy }: { bound: string; costs: readonly number[]; remedy?: string },
  rules: readonly { from: string; given: string }[],
): FieldError[] {
  const all = costs.reduce((sum, cost) => sum + cost, 0)
  const byField = new Map<string, { cost: number; given: string }>()
  for (const [i, { from, given }] of rules.entries()) {
    const entry = byField.get(from) ?? { cost: 0, given }
    entry.cost += costs[i]!
    byField.set(from, entry)
  }
  const max = [...byField].sort(([, a], [, b]) => b.cost - a.cost).slice(0, NAMED)
  return max.map(([path, { cost, given }]) => ({
    code: 'TOO_LARGE',
    path,
    given,
    problem: `the rules compile to more than ${bound}; this rule takes ${share(cost, all)} of it and is among the largest${remedy === undefined ? '' : `; ${remedy}`}`,
  }))
}

function share(cost: number, all: number): string {
  const percent = all === 0 ? 0 : (100 * cost) / all
  return percent < 0.1 ? 'less than 0.1 %' : `${percent.toFixed(1)} %`
}
