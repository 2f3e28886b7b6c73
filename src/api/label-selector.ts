import type { LabelSelector, LabelSelectorRequirement } from './types.ts'

export type Labels = Readonly<Record<string, string>>

/** One condition on one label. An entry of `matchLabels` becomes an `In` with one value. */
type Requirement =
  | { key: string; operator: 'In' | 'NotIn'; values: ReadonlySet<string> }
  | { key: string; operator: 'Exists' | 'DoesNotExist' }

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined

/** What a matching object must have on one label: one of these values, or any value when `values` is undefined. */
export interface Anchor {
  key: string
  values?: ReadonlySet<string>
}

/**
 * The selector in the syntax of API queries and `kubectl get -l`, sorted by key. A selector that selects everything
 * gives ''.
 */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => ({ key, text: `${key}=${value}` }))
  const others = matchExpressions.map((requirement) => ({ key: requirement.key, text: requirementText(requirement) }))
  return [...equal, ...others]
    .sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1))
    .map(({ text }) => text)
    .join(',')
}

function requirementText({ key, operator, values = [] }: LabelSelectorRequirement): string {
  if (operator === 'Exists') return key
  if (operator === 'DoesNotExist') return `!${key}`
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`
}

/**
 * The selector in canonical form: requirements and values sorted, without duplicates, and labels as `In` with one
 * value.
 */
export function plainSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): LabelSelector {
  const equal = Object.entries(matchLabels).map(
    ([key, value]): LabelSelectorRequirement => ({ key, operator: 'In', values: [value] }),
  )
  const byText = new Map<string, LabelSelectorRequirement>()
  for (const { key, operator, values } of [...equal, ...matchExpressions]) {
    const isList = operator === 'In' || operator === 'NotIn'
    const plain = isList ? { key, operator, values: [...new Set(values)].sort() } : { key, operator }
    byText.set(requirementText(plain), plain)
  }
  return { matchExpressions: [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, requirement]) => requirement) }
}

/**
 * A Kubernetes label selector (meta/v1 LabelSelector), compiled for many matches. Without requirements it matches
 * everything.
 */
export class CompiledSelector {
  readonly #requirements: readonly Requirement[]

  constructor({ matchLabels = {}, matchExpressions = [] }: LabelSelector) {
    const equal = Object.entries(matchLabels).map(
      ([key, value]): Requirement => ({ key, operator: 'In', values: new Set([value]) }),
    )
    this.#requirements = [...equal, ...matchExpressions.map(requirementOf)]
  }

  /** The most conditions that one match compares an object with. */
  get conditions(): number {
    return this.#requirements.length
  }

  matches(labels: Labels): boolean {
    return this.#requirements.every((requirement) => holds(requirement, labelOf(labels, requirement.key)))
  }

  /**
   * The requirements that only an object with a certain label meets. If the list is empty, every object must be tried.
   */
  anchors(): Anchor[] {
    return this.#requirements.flatMap((requirement): Anchor[] => {
      if (requirement.operator === 'In') return [{ key: requirement.key, values: requirement.values }]
      return requirement.operator === 'Exists' ? [{ key: requirement.key }] : []
    })
  }

  /**
   * Whether `other` matches every object that this selector matches. True is certain. False may be wrong where the
   * implication follows only from several requirements together.
   */
  implies(other: CompiledSelector): boolean {
    return other.#requirements.every((wanted) => this.#requirements.some((given) => requirementImplies(given, wanted)))
  }
}

function requirementOf({ key, operator, values = [] }: LabelSelectorRequirement): Requirement {
  return operator === 'In' || operator === 'NotIn' ? { key, operator, values: new Set(values) } : { key, operator }
}

function holds(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.has(value)
    case 'NotIn':
      // NotIn also matches an object without the label (labels.Requirement of apimachinery).
      return value === undefined || !requirement.values.has(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

function requirementImplies(given: Requirement, wanted: Requirement): boolean {
  if (given.key !== wanted.key) return false
  switch (wanted.operator) {
    case 'In':
      return given.operator === 'In' && [...given.values].every((value) => wanted.values.has(value))
    case 'NotIn':
      if (given.operator === 'In') return [...given.values].every((value) => !wanted.values.has(value))
      if (given.operator === 'NotIn') return [...wanted.values].every((value) => given.values.has(value))
      return given.operator === 'DoesNotExist'
    case 'Exists':
      return given.operator === 'Exists' || given.operator === 'In'
    case 'DoesNotExist':
      return given.operator === 'DoesNotExist'
  }
}
