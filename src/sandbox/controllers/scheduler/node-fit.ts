import type { Node, NodeRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration } from '../types.ts'

/** Whether a toleration is of this taint (kubernetes, component-helpers, ToleratesTaint). */
export function tolerates(
  { key = '', operator = 'Equal', value = '', effect = '' }: Toleration,
  taint: Taint,
): boolean {
  if (effect !== '' && effect !== taint.effect) return false
  if (key !== '' && key !== taint.key) return false
  if (operator === 'Exists') return true
  if (operator === 'Equal') return key !== '' && value === (taint.value ?? '')
  return comparesNumbers(operator, taint.value ?? '', value)
}

function comparesNumbers(operator: string, taint: string, toleration: string): boolean {
  if (!/^-?\d+$/.test(taint) || !/^-?\d+$/.test(toleration)) return false
  if (operator === 'Gt') return BigInt(taint) > BigInt(toleration)
  return operator === 'Lt' && BigInt(taint) < BigInt(toleration)
}

/** The first taint with one of these effects that nothing tolerates. */
export function untolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly string[],
): Taint | undefined {
  return taints?.find(
    (taint) => effects.includes(taint.effect) && !tolerations?.some((toleration) => tolerates(toleration, taint)),
  )
}

/** Whether a node is one that the nodeSelector and the required node affinity of a pod allow. */
export function matchesAffinity({ nodeSelector, affinity }: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  for (const [key, value] of Object.entries(nodeSelector ?? {})) if (labels[key] !== value) return false
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

/** A term that says nothing matches nothing. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  return (
    matchExpressions.every((one) => matches(one, labels[one.key])) &&
    matchFields.every((one) => matches(one, one.key === 'metadata.name' ? node.metadata.name : undefined))
  )
}

function matches({ operator, values = [] }: NodeRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
    case 'Lt':
      return comparesNumbers(operator, value ?? '', values[0] ?? '')
    default:
      return false
  }
}

/** The only node that a pod may go to, where its affinity names it, as that of a daemon's pod does. */
export function namedNode({ affinity }: PodSpec): string | undefined {
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  if (terms?.length !== 1) return undefined
  const field = terms[0]!.matchFields?.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')
  return field?.values?.length === 1 ? field.values[0] : undefined
}
