import { controllerOf } from '../ownership.ts'
import type { Node, Pod } from '../types.ts'
import type { ClusterRoom } from './cluster-room.ts'
import { matchesAffinity, untolerated } from './node-fit.ts'
import { type Amounts, podAmounts } from './resource-amounts.ts'

/** A node for a pod, or why there is none. */
export type Choice = { readonly node: string } | { readonly reasons: ReadonlyMap<string, number> }

/** When so many nodes fit, the best of them is taken, however many more there are. */
const enough = 100

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/**
 * The node among those given, in their order, that has fewest pods of the same controller, then most left. Only the
 * first hundred that fit are compared.
 */
export function chooseNode(pod: Pod, nodes: Iterable<Node>, room: ClusterRoom): Choice {
  const amounts = podAmounts(pod.spec)
  const owner = controllerOf(pod.metadata)?.uid ?? ''
  const reasons = new Map<string, number>()
  let best: { node: string; siblings: number; load: number } | undefined
  let found = 0
  for (const node of nodes) {
    const problem = problemOf(pod, node, amounts, room)
    if (problem !== undefined) {
      reasons.set(problem, (reasons.get(problem) ?? 0) + 1)
      continue
    }
    const { name } = node.metadata
    const siblings = room.siblings(name, owner)
    const load = room.load(name)
    if (!best || siblings < best.siblings || (siblings === best.siblings && load < best.load))
      best = { node: name, siblings, load }
    if (++found === enough) break
  }
  return best ?? { reasons }
}

/** Why a pod cannot go to a node, in kube-scheduler's words. */
function problemOf({ spec }: Pod, node: Node, amounts: Amounts, room: ClusterRoom): string | undefined {
  const tolerations = spec.tolerations ?? []
  if (node.spec.unschedulable && untolerated([unschedulableTaint], tolerations, ['NoSchedule']))
    return 'node(s) were unschedulable'
  if (!matchesAffinity(spec, node)) return "node(s) didn't match Pod's node affinity/selector"
  if (untolerated(node.spec.taints, tolerations, ['NoSchedule', 'NoExecute'])) return 'node(s) had untolerated taint(s)'
  const lacking = room.lacks(node.metadata.name, amounts)
  if (lacking === undefined) return undefined
  return lacking === 'pods' ? 'Too many pods' : `Insufficient ${lacking}`
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function problemText(reasons: ReadonlyMap<string, number>, total: number): string {
  if (total === 0) return 'no nodes available to schedule pods'
  const texts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  return `0/${total} nodes are available: ${texts.join(', ')}.`
}
