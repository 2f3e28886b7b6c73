import { capabilityRules } from './capability-rules.ts'
import { catalogue } from './catalogue.ts'
import { isImpossible, type RestrictionKind, type Rule, type RuleCategory } from './meaning.ts'

// What each rule stops, and which enforcer carries it on which kernel, as docs/reference/rules.md has it.

/** The oldest Linux that each enforcer is tried on, as `major.minor`. */
export const oldestKernels = { appArmor: '5.10', bpf: '5.10', seccomp: '5.10' } as const

const enforcers = [
  { key: 'appArmor', title: 'AppArmor' },
  { key: 'bpf', title: 'BPF' },
  { key: 'seccomp', title: 'Seccomp' },
] as const

type EnforcerKey = (typeof enforcers)[number]['key']

/** What a kind of restriction takes besides the oldest kernel of its enforcer: a newer one, something else. */
interface Need {
  kernel?: string
  also?: string
}

const needs: Partial<Record<EnforcerKey, Partial<Record<RestrictionKind, Need>>>> = {
  appArmor: { userns: { kernel: '6.7', also: 'AppArmor 4' } },
  bpf: { service: { also: '--enableServiceEgressControl' }, userfaultfd: { kernel: '5.12' } },
}

/** How an enforcer carries a rule: not at all, wholly, but for a gap, or where there is what it needs. */
export type Claim = 'no' | 'yes' | 'partly' | Need

/** Where only a part of the rule needs more, the rest is carried. */
export function claimOf(rule: Rule, key: EnforcerKey): Claim {
  const meaning = rule[key]
  if (isImpossible(meaning)) return 'no'
  const ofAll = meaning.map((one) => ('kind' in one ? needs[key]?.[one.kind] : undefined))
  const need = ofAll.find((one) => one !== undefined)
  if (need !== undefined && !ofAll.includes(undefined)) return need
  return need !== undefined || rule.gaps?.[key] !== undefined ? 'partly' : 'yes'
}

function cell(rule: Rule, key: EnforcerKey): string {
  const claim = claimOf(rule, key)
  if (typeof claim === 'object') return [claim.kernel, claim.also].filter((one) => one !== undefined).join(', ')
  return claim === 'no' ? '' : claim
}

/** Rules by what is said of them: those that read the same one behind the other, as single capabilities do, are one row. */
export function rowsOf(rules: readonly Rule[], cellsOf: (rule: Rule) => string[]) {
  const rows: { rules: Rule[]; cells: string[] }[] = []
  for (const rule of rules) {
    const cells = cellsOf(rule)
    const row = rows.at(-1)
    const isAlike = capabilityRules.includes(rule) && row !== undefined && capabilityRules.includes(row.rules[0]!)
    if (isAlike && row.cells.join('|') === cells.join('|')) row.rules.push(rule)
    else rows.push({ rules: [rule], cells })
  }
  return rows
}

export const namesOf = (rules: readonly Rule[]): string =>
  rules.length === 1
    ? `\`${rules[0]!.name}\``
    : `\`${rules[0]!.name}\` to \`${rules.at(-1)!.name}\`, ${rules.length} rules`

const stopsOf = (rules: readonly Rule[]): string =>
  rules.length === 1
    ? rules[0]!.stops
    : 'The use of capabilities: of all, of all but one, of those that no container has by default, or of the one that is named.'

/** The rules of a category by enforcer, with the kernel from which on: the head of a table and its rows. */
export function ruleTableOf(category: RuleCategory): { head: string[]; rows: string[][] } {
  const rules = catalogue.filter((rule) => rule.category === category)
  const rows = rowsOf(rules, (rule) => enforcers.map(({ key }) => cell(rule, key)))
  return {
    head: ['rule', 'what it stops', ...enforcers.map(({ key, title }) => `${title}, Linux ${oldestKernels[key]}`)],
    rows: rows.map((row) => [namesOf(row.rules), stopsOf(row.rules), ...row.cells]),
  }
}
