import { capabilityRules } from './capability-rules.ts'
import { catalogue } from './catalogue.ts'
import { isImpossible, type RestrictionKind, type Rule, type RuleCategory } from './meaning.ts'

// The tables of docs/reference/rules.md: what each rule stops, and which enforcer enforces it on which kernel.

/** The oldest Linux on which each enforcer is tested, as `major.minor`. */
export const oldestKernels = { appArmor: '5.10', bpf: '5.10', seccomp: '5.10' } as const

const enforcers = [
  { key: 'appArmor', title: 'AppArmor' },
  { key: 'bpf', title: 'BPF' },
  { key: 'seccomp', title: 'Seccomp' },
] as const

type EnforcerKey = (typeof enforcers)[number]['key']

/**
 * A requirement of a restriction in addition to the enforcer's oldest kernel: a newer kernel, or another property of
 * the node.
 */
interface Need {
  kernel?: string
  also?: string
}

const needs: Partial<Record<EnforcerKey, Partial<Record<RestrictionKind, Need>>>> = {
  appArmor: { userns: { kernel: '6.7', also: 'AppArmor 4' } },
  bpf: { service: { also: '--enableServiceEgressControl' }, userfaultfd: { kernel: '5.12' } },
}

/** How an enforcer enforces a rule: not at all, completely, partly, or only if the node has what the rule needs. */
export type Claim = 'no' | 'yes' | 'partly' | Need

/**
 * How an enforcer enforces the rule. If the node lacks the requirement of a part, the enforcer still enforces the other
 * parts.
 */
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

/** Groups rules into rows: neighbours with the same cells, such as the rules about single capabilities, share a row. */
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
    : 'The use of capabilities: all, all except NET_BIND_SERVICE, all that containers do not have by default, or the capability in the name of the rule.'

/** The table of a category's rules: its head, and rows with the oldest kernel for each enforcer. */
export function ruleTableOf(category: RuleCategory): { head: string[]; rows: string[][] } {
  const rules = catalogue.filter((rule) => rule.category === category)
  const rows = rowsOf(rules, (rule) => enforcers.map(({ key }) => cell(rule, key)))
  return {
    head: ['rule', 'what it stops', ...enforcers.map(({ key, title }) => `${title}, Linux ${oldestKernels[key]}`)],
    rows: rows.map((row) => [namesOf(row.rules), stopsOf(row.rules), ...row.cells]),
  }
}
