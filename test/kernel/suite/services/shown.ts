import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import { markdownTable } from '../../../../src/base/markdown.ts'
import { attacks } from './attacks.ts'
import { services } from './services.ts'

/**
 * How an attack ended: refused and reported (R), refused without a report (r), or not distinguishable from the
 * workload's own operations (-).
 */
export type Ending = 'R' | 'r' | '-'
/** A letter for each attack, in the order of attacks, by service and enforcer. */
export type OfKernel = Record<string, Partial<Record<KernelEnforcer, string>>>
/** Results by kernel, such as `6.12`. */
export type Shown = Record<string, OfKernel>

const enforcers: readonly KernelEnforcer[] = ['AppArmor', 'BPF', 'Seccomp']

/** The results in the documents: `shown.json`, which is updated from the output of runs. */
export const readShown = (): Shown => JSON.parse(readFileSync(join(import.meta.dirname, 'shown.json'), 'utf8')) as Shown

const count = (text: string, letter: Ending): number => [...text].filter((each) => each === letter).length

function cell(text: string | undefined): string {
  if (text === undefined) return ''
  const [reported, silent] = [count(text, 'R'), count(text, 'r')]
  return silent > 0 ? `${reported + silent}, not reported` : String(reported)
}

/** A table by service and kernel; kernels with the same results share a line. */
export function tableOfServices(shown: Shown): string {
  const lines = services.flatMap(({ name, title }) => {
    const kernels = new Map<string, string[]>()
    for (const [kernel, of] of Object.entries(shown)) {
      if (of[name] === undefined) continue
      const cells = JSON.stringify(enforcers.map((enforcer) => cell(of[name]?.[enforcer])))
      kernels.set(cells, [...(kernels.get(cells) ?? []), kernel])
    }
    return Array.from(kernels, ([cells, names]) => [title, names.join(', '), ...(JSON.parse(cells) as string[])])
  })
  return markdownTable(['workload', 'kernel', ...enforcers], lines)
}

/** A table by attack. If the result does not hold for all services, the table states for how many it holds. */
export function tableOfAttacks(shown: Shown): string {
  const all = Object.values(shown).flatMap((of) => Object.values(of))
  const lines = attacks.map(({ what }, i) => [
    what,
    ...enforcers.map((enforcer) => {
      const endings = all.flatMap((of) => of[enforcer]?.[i] ?? [])
      const refused = endings.filter((one) => one !== '-')
      if (refused.length === 0) return '–'
      const how = refused.includes('r') ? 'refused' : 'refused, reported'
      return refused.length === endings.length ? how : `${how}: ${refused.length} of ${endings.length}`
    }),
  ])
  return markdownTable(['attack', ...enforcers], lines)
}
