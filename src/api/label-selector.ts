import type { LabelSelector, LabelSelectorRequirement } from './types.ts'

export type Labels = Readonly<Record<string, string>>

/** One condition about one label. An entry of `matchLabels` becomes an `In` condition with one value. */
type Requirement =
  | { key: string; operator: 'In' | 'NotIn'; values: ReadonlySet<string> }
  | { key: string; operator: 'Exists' | 'DoesNotExist' }

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined

/** A label that an object must have to match: with one of these values, or with any value if `values` is undefined. */
export interface Anchor {
  key: string
  values?: ReadonlySet<string>
}

/**
 * The selector as text for API queries and `kubectl get -l`, sorted by key. For a selector that selects every object,
 * the text is empty.
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
 * The selector in canonical form: requirements and values sorted, no duplicates, and `matchLabels` as `In` with one
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
 * A Kubernetes label selector (meta/v1 LabelSelector), compiled for repeated use. A selector without requirements
 * matches every object.
 */
export class CompiledSelector {
  readonly #requirements: readonly Requirement[]

  constructor({ matchLabels = {}, matchExpressions = [] }: LabelSelector) {
    const equal = Object.entries(matchLabels).map(
      ([key, value]): Requirement => ({ key, operator: 'In', values: new Set([value]) }),
    )
    this.#requirements = [...equal, ...matchExpressions.map(requirementOf)]
  }

  /** Maximum number of conditions that one match evaluates. */
  get conditions(): number {
    return this.#requirements.length
  }

  matches(labels: Labels): boolean {
    return this.#requirements.every((requirement) => holds(requirement, labelOf(labels, requirement.key)))
  }

  /**
   * Requirements that only an object with a certain label can meet. If the selector has no such requirement, every
   * object must be tried.
   */
  anchors(): Anchor[] {
    return this.#requirements.flatMap((requirement): Anchor[] => {
      if (requirement.operator === 'In') return [{ key: requirement.key, values: requirement.values }]
      return requirement.operator === 'Exists' ? [{ key: requirement.key }] : []
    })
  }

  /**
   * Whether `other` matches every object that this selector matches. The result can be a wrong `false`, but not a wrong
   * `true`: it does not see that several requirements together imply `other`.
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
      // NotIn also matches an object that lacks the label (labels.Requirement of apimachinery).
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
