import { capabilityRules } from './capability-rules.ts'
import { catalogue } from './catalogue.ts'
import { isImpossible, type RestrictionKind, type Rule, type RuleCategory } from './meaning.ts'

// What each rule stops, and which enforcer carries it on which kernel, as docs/policies.md has it.

/** The oldest Linux that each enforcer is tried on, as `major.minor`. */
export const oldestKernels = { appArmor: '5.10', bpf: '5.10', seccomp: '5.10' } as const

const enforcers = [
  { key: 'appArmor', title: 'AppArmor' },
  { key: 'bpf', title: 'BPF' },
  { key: 'seccomp', title: 'Seccomp' },
] as const

type EnforcerKey = (typeof enforcers)[number]['key']

/** What a kind of restriction takes besides the oldest kernel of its enforcer. */
const requirements: Partial<Record<EnforcerKey, Partial<Record<RestrictionKind, string>>>> = {
  appArmor: { userns: '6.7, AppArmor 4' },
  bpf: { service: '--enableServiceEgressControl', userfaultfd: '5.12' },
}

/** What a rule takes of one enforcer; where only a part of it takes more, the rest is carried. */
function cell(rule: Rule, key: EnforcerKey): string {
  const meaning = rule[key]
  if (isImpossible(meaning)) return ''
  const needs = meaning.map((one) => ('kind' in one ? requirements[key]?.[one.kind] : undefined))
  const most = needs.find((need) => need !== undefined)
  if (most !== undefined && !needs.includes(undefined)) return most
  return most !== undefined || rule.gaps?.[key] !== undefined ? 'partly' : 'yes'
}

const cellsOf = (rule: Rule): string[] => enforcers.map(({ key }) => cell(rule, key))

/** Rules that read the same one behind the other, as those of single capabilities do, are one row. */
function rows(category: RuleCategory): string[][] {
  const all: { rules: Rule[]; cells: string[] }[] = []
  for (const rule of catalogue.filter((one) => one.category === category)) {
    const cells = cellsOf(rule)
    const row = all.at(-1)
    const isAlike = capabilityRules.includes(rule) && row !== undefined && capabilityRules.includes(row.rules[0]!)
    if (isAlike && row.cells.join() === cells.join()) row.rules.push(rule)
    else all.push({ rules: [rule], cells })
  }
  return all.map(({ rules, cells }) => [namesOf(rules), stopsOf(rules), ...cells])
}

const namesOf = (rules: readonly Rule[]): string =>
  rules.length === 1
    ? `\`${rules[0]!.name}\``
    : `\`${rules[0]!.name}\` to \`${rules.at(-1)!.name}\`, ${rules.length} rules`

const stopsOf = (rules: readonly Rule[]): string =>
  rules.length === 1
    ? rules[0]!.stops
    : 'The use of capabilities: of all, of all but one, of those that no container has by default, or of the one that is named.'

/** The rules of a category by enforcer, with the kernel from which on: the head of a table and its rows. */
export const ruleTableOf = (category: RuleCategory): { head: string[]; rows: string[][] } => ({
  head: ['rule', 'what it stops', ...enforcers.map(({ key, title }) => `${title}, Linux ${oldestKernels[key]}`)],
  rows: rows(category),
})
