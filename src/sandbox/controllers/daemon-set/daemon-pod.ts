import type { JsonObject } from '../../api-server/schema/json.ts'
import type { NewObject } from '../cluster-client.ts'
import { podFromTemplate } from '../pod-template.ts'
import { daemonSets } from '../resources.ts'
import { REVISION_HASH } from '../revisions.ts'
import { matchesAffinity, namedNode, untolerated } from '../scheduler/node-fit.ts'
import type { Affinity, DaemonSet, Node, Pod, PodSpec, Toleration } from '../types.ts'

const TEMPLATE_GENERATION = 'pod-template-generation'

/** What a node's own troubles must not keep a daemon from (kubernetes, AddOrUpdateDaemonPodTolerations). */
function daemonTolerations({ tolerations = [], hostNetwork }: PodSpec): Toleration[] {
  const wanted: Toleration[] = [
    ['not-ready', 'NoExecute'],
    ['unreachable', 'NoExecute'],
    ['disk-pressure', 'NoSchedule'],
    ['memory-pressure', 'NoSchedule'],
    ['pid-pressure', 'NoSchedule'],
    ['unschedulable', 'NoSchedule'],
    ...(hostNetwork ? [['network-unavailable', 'NoSchedule']] : []),
  ].map(([key, effect]) => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', effect: effect! }))
  const same = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.effect === b.effect && a.operator === b.operator && (a.value ?? '') === (b.value ?? '')
  return [...tolerations.filter((one) => !wanted.some((other) => same(one, other))), ...wanted]
}

/** The pod of a daemon for one node. The scheduler binds it, as it does any other; its affinity leaves no choice. */
export function daemonPod(set: DaemonSet, node: string, hash: string): NewObject {
  const { metadata, ...pod } = podFromTemplate(set.spec.template, set, daemonSets)
  const generation = set.metadata.annotations?.['deprecated.daemonset.template.generation']
  const labels = {
    ...(metadata['labels'] as Record<string, string>),
    [REVISION_HASH]: hash,
    ...(generation === undefined ? {} : { [TEMPLATE_GENERATION]: generation }),
  }
  const spec = set.spec.template.spec
  return {
    ...pod,
    metadata: { ...metadata, labels },
    spec: {
      ...(pod['spec'] as JsonObject),
      tolerations: daemonTolerations(spec),
      affinity: onNode(spec.affinity, node),
    },
  }
}

function onNode(affinity: Affinity | undefined, node: string): Affinity {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }
  const required = { nodeSelectorTerms: [term] }
  return {
    ...affinity,
    nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required },
  }
}

/** The node that a pod of a daemon is on, or is meant for. */
export const nodeOfPod = ({ spec }: Pod): string | undefined => spec.nodeName || namedNode(spec)

export const isUpdated = ({ metadata }: Pod, hash: string): boolean => metadata.labels?.[REVISION_HASH] === hash

export interface Placement {
  /** A pod belongs there. */
  readonly runs: boolean
  /** One that is there may stay. */
  readonly stays: boolean
}

/** Whether nodes are for a daemon; what does not depend on the node is worked out once. */
export function placement({ spec }: DaemonSet): (node: Node) => Placement {
  const tolerations = daemonTolerations(spec.template.spec)
  const { nodeName } = spec.template.spec
  return (node) => {
    const { name } = node.metadata
    if ((nodeName && nodeName !== name) || !matchesAffinity(spec.template.spec, node))
      return { runs: false, stays: false }
    const { taints } = node.spec
    if (!untolerated(taints, tolerations, ['NoExecute', 'NoSchedule'])) return { runs: true, stays: true }
    return { runs: false, stays: !untolerated(taints, tolerations, ['NoExecute']) }
  }
}
