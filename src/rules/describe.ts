import { type Gaps, type Impossible, isImpossible, listOfCategory, type Rule } from './meaning.ts'
import { restrictionPhrases, syscallPhrase } from './phrases.ts'

// The output of `varmor rules [NAME]`.

const enforcers = [
  { key: 'appArmor', title: 'AppArmor' },
  { key: 'bpf', title: 'BPF' },
  { key: 'seccomp', title: 'Seccomp' },
] as const

type EnforcerKey = keyof Gaps

/** How far an enforcer enforces a rule; `partly` if it leaves a gap, which the rule's description names. */
function carries(rule: Rule, enforcer: EnforcerKey): 'yes' | 'partly' | 'no' {
  if (isImpossible(rule[enforcer])) return 'no'
  return rule.gaps?.[enforcer] === undefined ? 'yes' : 'partly'
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/**
 * A table with a heading and a line for each rule: name, category, and whether each enforcer enforces it (yes, partly
 * or no).
 */
export function ruleTable(rules: readonly Rule[]): string {
  const heading = ['NAME', 'CATEGORY', ...enforcers.map(({ title }) => title.toUpperCase())]
  return columns([
    heading,
    ...rules.map((rule) => [rule.name, rule.category, ...enforcers.map(({ key }) => carries(rule, key))]),
  ])
}

const WIDTH = 100

/**
 * Wraps text to WIDTH characters. `first` begins the first line; later lines are indented to match. A longer word is
 * not split.
 */
function wrapped(text: string, first: string): string {
  const indent = ' '.repeat(first.length)
  const lines = [first]
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    const fresh = line.length === first.length
    if (!fresh && line.length + 1 + word.length > WIDTH) lines.push(indent + word)
    else lines[lines.length - 1] = fresh ? line + word : `${line} ${word}`
  }
  return lines.join('\n')
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => wrapped(line, '  - '))]
}

function enforcerSections(rule: Rule): string[] {
  // Most rules mean the same to AppArmor and BPF, so they share one line.
  const together = !isImpossible(rule.appArmor) && rule.appArmor === rule.bpf
  return [
    ...(together
      ? meaningSection('AppArmor and BPF', rule.bpf, restrictionPhrases)
      : [
          ...meaningSection('AppArmor', rule.appArmor, restrictionPhrases),
          ...meaningSection('BPF', rule.bpf, restrictionPhrases),
        ]),
    ...meaningSection('Seccomp', rule.seccomp, (restrictions) => restrictions.map(syscallPhrase)),
    ...section('Gaps', gapLines(rule.gaps)),
  ]
}

function meaningSection<T>(
  title: string,
  meaning: readonly T[] | Impossible,
  phrases: (restrictions: readonly T[]) => string[],
): string[] {
  if (isImpossible(meaning)) return ['', `${title} does not enforce it`, wrapped(meaning.impossible, '  ')]
  return section(`${title} refuse${title.includes(' ') ? '' : 's'}`, phrases(meaning))
}

function gapLines(gaps: Gaps = {}): string[] {
  return enforcers.flatMap(({ key, title }) => (gaps[key] === undefined ? [] : [`${title}: ${gaps[key]}`]))
}

/**
 * Describes one rule for a reader: what the rule stops and why, how each enforcer enforces it, its limits and its
 * sources. `way`: the parent directories that the compilers also protect.
 */
export function describeRule(rule: Rule, way: readonly string[] = []): string {
  const aliases = rule.aliases === undefined ? [] : [`Also called ${rule.aliases.join(', ')}`]
  return [
    rule.name,
    ...aliases,
    `Category ${rule.category}; goes in spec.policy.enhanceProtect.${listOfCategory[rule.category]}`,
    '',
    wrapped(rule.stops, 'Stops  '),
    wrapped(rule.why, 'Why    '),
    ...enforcerSections(rule),
    ...section('Good to know', [...(rule.notes ?? []), ...wayNote(way)]),
    ...section('Sources', rule.sources),
  ].join('\n')
}

function wayNote(way: readonly string[]): string[] {
  if (way.length === 0) return []
  return [
    `The parent directories of these paths are protected too: ${way.join(', ')} cannot be renamed, removed, bound elsewhere or mounted over. AppArmor also refuses changes of their mode and owner. To turn this off, set protectAncestors: false in the policy.`,
  ]
}

/** The rule as data for JSON or YAML: all its fields, and whether each enforcer enforces it. */
export function ruleAsData(rule: Rule): Required<Rule> & { enforcers: Record<EnforcerKey, 'yes' | 'partly' | 'no'> } {
  return {
    name: rule.name,
    aliases: rule.aliases ?? [],
    category: rule.category,
    stops: rule.stops,
    why: rule.why,
    enforcers: {
      appArmor: carries(rule, 'appArmor'),
      bpf: carries(rule, 'bpf'),
      seccomp: carries(rule, 'seccomp'),
    },
    appArmor: rule.appArmor,
    bpf: rule.bpf,
    seccomp: rule.seccomp,
    gaps: rule.gaps ?? {},
    notes: rule.notes ?? [],
    sources: rule.sources,
  }
}
