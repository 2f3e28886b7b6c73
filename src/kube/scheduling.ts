// Decides whether a pod may run on a node. It checks the parts of specs that Kubernetes' scheduler and DaemonSet
// controller check.

export interface Taint {
  key: string
  value?: string
  effect: string
}

export interface Toleration {
  key?: string
  operator?: string
  value?: string
  effect?: string
}

interface NodeRequirement {
  key: string
  operator: string
  values?: readonly string[]
}

interface NodeTerm {
  matchExpressions?: readonly NodeRequirement[]
  matchFields?: readonly NodeRequirement[]
}

/** The relevant part of a pod's spec. */
export interface Placement {
  nodeName?: string
  nodeSelector?: Readonly<Record<string, string>>
  tolerations?: readonly Toleration[]
  affinity?: {
    nodeAffinity?: {
      requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: readonly NodeTerm[] }
    }
  }
}

/** The relevant part of a Node. */
export interface PlaceableNode {
  metadata?: { name?: string; labels?: Record<string, string> }
  spec?: { taints?: readonly Taint[] }
}

/**
 * Tolerations that the DaemonSet controller adds, so that its pods also run on a cordoned node, or a node with
 * problems.
 */
export const daemonTolerations: readonly Toleration[] = [
  'not-ready',
  'unreachable',
  'unschedulable',
  'disk-pressure',
  'memory-pressure',
  'pid-pressure',
  'network-unavailable',
].map((name) => ({ key: `node.kubernetes.io/${name}`, operator: 'Exists' }))

/** @param further tolerations in addition to the pod's own */
export function mayRun(
  { nodeName, nodeSelector, tolerations = [], affinity }: Placement,
  node: PlaceableNode,
  further: readonly Toleration[] = [],
): boolean {
  if (nodeName !== undefined && nodeName !== '' && nodeName !== node.metadata?.name) return false
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return (
    matchesLabels(nodeSelector, node) &&
    (terms === undefined || terms.some((term) => meets(term, node))) &&
    untolerated(node.spec?.taints, [...tolerations, ...further]) === undefined
  )
}

export const matchesLabels = (
  wanted: Readonly<Record<string, string>> = {},
  { metadata }: Pick<PlaceableNode, 'metadata'>,
): boolean => Object.entries(wanted).every(([key, value]) => metadata?.labels?.[key] === value)

/** The first taint that keeps the pod away, because it has no toleration for it. */
export const untolerated = <T extends Taint>(
  taints: readonly T[] = [],
  tolerations: readonly Toleration[] = [],
): T | undefined =>
  taints.find(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint)),
  )

function tolerates({ key = '', operator = 'Equal', value = '', effect = '' }: Toleration, taint: Taint): boolean {
  if (effect !== '' && effect !== taint.effect) return false
  if (operator === 'Exists') return key === '' || key === taint.key
  return key === taint.key && value === (taint.value ?? '')
}

/** Whether the node meets all requirements of the term. An empty term matches no node. */
function meets({ matchExpressions = [], matchFields = [] }: NodeTerm, { metadata = {} }: PlaceableNode): boolean {
  const { labels = {}, name } = metadata
  if (matchExpressions.length + matchFields.length === 0) return false
  return (
    matchExpressions.every((one) => holds(one, Object.hasOwn(labels, one.key) ? labels[one.key] : undefined)) &&
    matchFields.every((one) => holds(one, one.key === 'metadata.name' ? name : undefined))
  )
}

function holds({ operator, values = [] }: NodeRequirement, value: string | undefined): boolean {
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
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}
