import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import { markdownTable } from '../../../../src/base/markdown.ts'
import { catalogue } from '../../../../src/rules/catalogue.ts'
import { namesOf, rowsOf } from '../../../../src/rules/kernels.ts'
import { type KernelName, kernelNames } from '../../guest/kernels.ts'

/**
 * Number of passed tests by kernel, enforcer and rule. For example, a test shows that an attack is refused and reported
 * and its neighbour works, or that both work and the attack is reported. 0 means that this kernel cannot run any case
 * of the rule; each case gives its reason.
 */
export type Shown = Partial<Record<KernelName, Partial<Record<KernelEnforcer, Record<string, number>>>>>

export const enforcers: readonly KernelEnforcer[] = ['AppArmor', 'BPF', 'Seccomp']

export const shownFile = join(import.meta.dirname, 'shown.json')

/** The results in the documents: `shown.json`, which is updated from the output of runs. */
export const readShown = (): Shown => JSON.parse(readFileSync(shownFile, 'utf8')) as Shown

/** A table of the kernels that refused, reported and observed the attacks, by rule and enforcer. */
export function tableOfRules(shown: Shown): string {
  const kernelsOf = (rule: string, enforcer: KernelEnforcer): string =>
    kernelNames.filter((kernel) => (shown[kernel]?.[enforcer]?.[rule] ?? 0) > 0).join(', ')
  const rows = rowsOf(catalogue, ({ name }) => enforcers.map((enforcer) => kernelsOf(name, enforcer)))
  const lines = rows.filter(({ cells }) => cells.some((cell) => cell !== ''))
  return markdownTable(
    ['rule', ...enforcers],
    lines.map(({ rules, cells }) => [namesOf(rules), ...cells]),
  )
}

/**
 * Compares the recorded results with a run: one line for each rule of the run's kernels and enforcers that passed fewer
 * tests than recorded or has no record, or one line if nothing is recorded. More passed tests are no difference,
 * because another machine's runtime may know more system calls.
 */
export function differences(noted: Shown, now: Shown): string[] {
  return eachEnforcer(now).flatMap(([kernel, enforcer, found]) => {
    const said = noted[kernel]?.[enforcer]
    if (said === undefined) return [`${enforcer}, ${kernel}: nothing is noted`]
    return [...new Set([...Object.keys(said), ...Object.keys(found)])]
      .filter((rule) => said[rule] === undefined || (found[rule] ?? -1) < said[rule])
      .map((rule) => `${rule}, ${enforcer}, ${kernel}: ${found[rule] ?? 'none'} passed, noted ${said[rule] ?? 'none'}`)
  })
}

/** The recorded results, updated with the results of runs for the same kernels and enforcers. */
export function withRuns(noted: Shown, runs: readonly Shown[]): Shown {
  const all: Shown = {}
  for (const shown of [noted, ...runs])
    for (const [kernel, enforcer, found] of eachEnforcer(shown)) all[kernel] = { ...all[kernel], [enforcer]: found }
  const inOrder = eachEnforcer(all)
  return Object.fromEntries(
    kernelNames.flatMap((kernel) => {
      const of = inOrder.flatMap(([name, ...entry]) => (name === kernel ? [entry] : []))
      return of.length === 0 ? [] : [[kernel, Object.fromEntries(of)]]
    }),
  )
}

const eachEnforcer = (shown: Shown) =>
  kernelNames.flatMap((kernel) =>
    enforcers.flatMap((enforcer) => {
      const found = shown[kernel]?.[enforcer]
      return found === undefined ? [] : [[kernel, enforcer, found] as const]
    }),
  )

const mark = 'rules shown: '
/** A line in which a run prints its results, for `note-shown.ts`. */
export const shownLine = (shown: Shown): string => mark + JSON.stringify(shown)
/** The results of the runs in this output. */
export const readShownLines = (text: string): Shown[] =>
  Array.from(text.matchAll(new RegExp(`^${mark}(.+)$`, 'gm')), ([, json]) => JSON.parse(json!) as Shown)
