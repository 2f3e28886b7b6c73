import { isNotFound } from '../../kube/api-error.ts'
import { keyOf } from '../../kube/objects.ts'
import { matchesLabels, untolerated } from '../../kube/scheduling.ts'
import type { WorkQueue } from '../work-queue.ts'
import type { Cluster, Writes } from './cluster.ts'
import { type Node, type Pod, pods, timestamp } from './objects.ts'
import { conditionOf, isActive } from './pods.ts'

const cordoned = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/**
 * Assigns nodes to pods that have none, in rotation. The scheduler respects nodeSelector, taints and unschedulable
 * nodes, but not resources and affinity.
 */
export function startScheduler(cluster: Cluster): WorkQueue {
  let names: string[] = []
  let turn = 0
  /** The next node that fits. Each search continues after the last result, so that all nodes get pods. */
  const choose = ({ spec }: Pod): string | undefined => {
    for (let left = names.length; left > 0; left--) {
      const name = names[turn++ % names.length]!
      const node = cluster.nodes.store.get(name)
      if (node !== undefined && fits(spec, node)) return name
    }
    return undefined
  }
  const queue = cluster.queue('scheduler', async (key, writes) => {
    const pod = cluster.pods.store.get(key)
    if (pod === undefined || !waits(pod)) return
    const node = choose(pod)
    await (node === undefined ? reportUnschedulable(cluster, writes, pod, names.length) : bind(cluster, pod, node))
  })
  cluster.pods.onChange((after) => {
    if (after && waits(after)) queue.add(keyOf(after))
  })
  cluster.nodes.onChange((after, before) => {
    if (!after || !before) names = [...cluster.nodes.store.keys()]
    if (after && (!before || deciding(before) !== deciding(after)))
      for (const pod of cluster.podsOn('')) if (waits(pod)) queue.add(keyOf(pod))
  })
  return queue
}

const waits = (pod: Pod): boolean => !pod.spec.nodeName && isActive(pod)

/** The parts of a node that decide whether a pod fits, as a text. */
const deciding = ({ metadata, spec }: Node): string =>
  JSON.stringify([metadata.labels, spec.taints, spec.unschedulable])

function fits({ nodeSelector, tolerations }: Pod['spec'], node: Node): boolean {
  if (node.metadata.deletionTimestamp !== undefined || !matchesLabels(nodeSelector, node)) return false
  const taints = [...(node.spec.taints ?? []), ...(node.spec.unschedulable ? [cordoned] : [])]
  return untolerated(taints, tolerations) === undefined
}

async function bind({ ports: { client } }: Cluster, { metadata }: Pod, node: string): Promise<void> {
  const { name, namespace, uid } = metadata
  const target = { apiVersion: 'v1', kind: 'Node', name: node }
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace, uid }, target }
  try {
    await client.createSubresource(pods, { name, namespace, subresource: 'binding' }, binding)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function reportUnschedulable(cluster: Cluster, writes: Writes, pod: Pod, nodes: number): Promise<void> {
  const message = `none of ${nodes} nodes fits, because of nodeSelector, taints, or because the node is unschedulable`
  const known = conditionOf(pod.status?.conditions, 'PodScheduled')
  if (known?.status === 'False' && known.message === message) return
  const now = timestamp(cluster.now)
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: now }
  await writes.conditions(pods, pod, [condition])
}
