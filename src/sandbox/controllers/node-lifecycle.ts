import { timestamp } from '../api-server/context.ts'
import { sameJson } from '../api-server/schema/json.ts'
import { type ClusterClient, isStatus } from './cluster-client.ts'
import { type Controller, controllerQueue, type Environment } from './environment.ts'
import { BY_NODE } from './informers.ts'
import { conditionOf, isTerminating } from './pod-state.ts'
import { nodes, pods } from './resources.ts'
import { tolerates } from './scheduler/node-fit.ts'
import type { Condition, Node, Pod, Taint } from './types.ts'
import type { WorkQueue } from './work-queue.ts'

const component = 'node-controller'
/** Silence after which a node counts as lost, milliseconds (kube-controller-manager's --node-monitor-grace-period). */
const monitorGrace = 50_000
/** How long pods of a node that is gone are left, milliseconds: the node may come back. */
const quarantine = 40_000

const NOT_READY = 'node.kubernetes.io/not-ready'
const UNREACHABLE = 'node.kubernetes.io/unreachable'
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable'
const managed = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE])

/** Taints nodes as their conditions say, calls those lost whose Lease is not renewed, and removes pods from lost nodes. */
export function startNodeLifecycle(environment: Environment): Controller {
  const lifecycle = new NodeLifecycle(environment)
  return { name: 'node-lifecycle', queue: lifecycle.queue }
}

class NodeLifecycle {
  readonly queue: WorkQueue
  private readonly environment: Environment
  /** When a node was last heard of, on our own clock, so that a node's wrong clock does no harm. */
  private readonly heard = new Map<string, number>()
  /** When a node was first missed. */
  private readonly missed = new Map<string, number>()

  constructor(environment: Environment) {
    this.environment = environment
    const { informers, clock } = environment
    this.queue = controllerQueue(environment, 'node-lifecycle', (key, client) => this.sync(key, client))
    informers.nodes.onChange(({ key }) => this.queue.add(key))
    informers.leases.onChange(({ after, before }) => {
      if (after?.metadata.namespace !== 'kube-node-lease') return
      if (before?.spec.renewTime === after.spec.renewTime) return
      const { name } = after.metadata
      this.heard.set(name, clock.now())
      // A node that was lost is back.
      if (this.readiness(name) === 'Unknown') this.queue.add(name)
    })
    informers.pods.onChange(({ before, after }) => {
      const node = after?.spec.nodeName
      if (!node || before?.spec.nodeName) return
      if (!informers.nodes.store.get(node) || hasNoExecute(informers.nodes.store.get(node)!)) this.queue.add(node)
    })
  }

  private get now(): number {
    return this.environment.clock.now()
  }

  private readiness(name: string): string | undefined {
    const node = this.environment.informers.nodes.store.get(name)
    return conditionOf(node?.status?.conditions, 'Ready')?.status
  }

  private async sync(name: string, client: ClusterClient): Promise<void> {
    const node = this.environment.informers.nodes.store.get(name)
    if (!node) return this.collectPods(name, client)
    this.missed.delete(name)
    const watched = await this.watchOver(node, client)
    const tainted = await this.taint(watched, client)
    await this.evict(tainted, client)
  }

  /** A node that has no Lease is not one that renews it: only those that once did can fall silent. */
  private async watchOver(node: Node, client: ClusterClient): Promise<Node> {
    const heard = this.heard.get(node.metadata.name)
    if (heard === undefined) return node
    const left = heard + monitorGrace - this.now
    if (left > 0) {
      this.queue.addAfter(node.metadata.name, left)
      return node
    }
    if (this.readiness(node.metadata.name) === 'Unknown') return node
    const status = { conditions: unknownConditions(node, this.now) }
    this.environment.events.normal(
      component,
      nodes,
      node,
      'NodeNotReady',
      `Node ${node.metadata.name} status is now: NodeNotReady`,
    )
    const written = await client.patch(nodes, node, { status }, { type: 'strategic-merge', subresource: 'status' })
    await this.markPodsNotReady(node.metadata.name, client)
    return written
  }

  /** Nobody is there to say it of the pods of a lost node. */
  private async markPodsNotReady(name: string, client: ClusterClient): Promise<void> {
    for (const pod of this.podsOn(name)) {
      if (conditionOf(pod.status?.conditions, 'Ready')?.status !== 'True') continue
      const condition = { type: 'Ready', status: 'False', lastTransitionTime: timestamp(this.now) }
      const patch = { metadata: { uid: pod.metadata.uid ?? '' }, status: { conditions: [condition] } }
      await unlessGone(client.patch(pods, pod, patch, { type: 'strategic-merge', subresource: 'status' }))
    }
  }

  private async taint(node: Node, client: ClusterClient): Promise<Node> {
    const current = node.spec.taints ?? []
    const wanted = wantedTaints(node, this.now)
    const taints = [...current.filter(({ key }) => !managed.has(key)), ...wanted]
    if (sameJson(bySubject(taints), bySubject(current))) return node
    // With the version, so that a taint that someone adds meanwhile is not lost.
    return client.update(nodes, { ...node, spec: { ...node.spec, taints } })
  }

  /** Deletes the pods that do not tolerate that their node is lost, those with a patience once it is over. */
  private async evict(node: Node, client: ClusterClient): Promise<void> {
    const taints = (node.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
    if (taints.length === 0) return
    for (const pod of this.podsOn(node.metadata.name)) {
      if (isTerminating(pod)) continue
      const patience = patienceOf(pod, taints, this.now)
      if (patience === undefined) continue
      if (patience > 0) this.queue.addAfter(node.metadata.name, patience)
      else await client.delete(pods, pod, { uid: pod.metadata.uid ?? '' })
    }
  }

  private async collectPods(name: string, client: ClusterClient): Promise<void> {
    this.heard.delete(name)
    const left = this.podsOn(name)
    if (left.length === 0) return void this.missed.delete(name)
    const since = this.missed.get(name) ?? this.now
    this.missed.set(name, since)
    const wait = since + quarantine - this.now
    if (wait > 0) return this.queue.addAfter(name, wait)
    for (const pod of left) await client.delete(pods, pod, { uid: pod.metadata.uid ?? '', gracePeriodSeconds: 0 })
  }

  private podsOn(name: string): Pod[] {
    return this.environment.informers.pods.store.find(BY_NODE, name)
  }
}

const hasNoExecute = ({ spec }: Node): boolean => (spec.taints ?? []).some(({ effect }) => effect === 'NoExecute')

function unknownConditions({ status }: Node, now: number): Condition[] {
  const time = timestamp(now)
  return (status?.conditions ?? []).map((condition) => ({
    ...condition,
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastTransitionTime: time,
  }))
}

function wantedTaints({ spec, status }: Node, now: number): Taint[] {
  const ready = conditionOf(status?.conditions, 'Ready')?.status
  const taint = (key: string, effect: string): Taint => {
    const known = spec.taints?.find((one) => one.key === key && one.effect === effect)
    return (
      known ?? { key, effect, ...(effect === 'NoExecute' || key !== NOT_READY ? { timeAdded: timestamp(now) } : {}) }
    )
  }
  const both = (key: string): Taint[] => [taint(key, 'NoSchedule'), taint(key, 'NoExecute')]
  const found = ready === 'True' ? [] : both(ready === 'Unknown' ? UNREACHABLE : NOT_READY)
  // A node that has not reported yet is only not ready for new pods.
  const reported = ready === undefined ? found.slice(0, 1) : found
  return spec.unschedulable ? [...reported, taint(UNSCHEDULABLE, 'NoSchedule')] : reported
}

const bySubject = (taints: readonly Taint[]): Taint[] =>
  [...taints].sort((a, b) => (`${a.key} ${a.effect}` < `${b.key} ${b.effect}` ? -1 : 1))

/** Milliseconds that a pod may stay; undefined when it may stay for ever. */
function patienceOf({ spec }: Pod, taints: readonly Taint[], now: number): number | undefined {
  let shortest: number | undefined
  for (const taint of taints) {
    const tolerations = (spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint))
    if (tolerations.length === 0) return 0
    const limits = tolerations.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? [])
    if (limits.length === 0) continue
    const added = Date.parse(taint.timeAdded ?? '') || now
    const left = added + Math.max(0, Math.min(...limits)) * 1000 - now
    shortest = Math.min(shortest ?? left, left)
  }
  return shortest
}

async function unlessGone(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isStatus(error, 404)) throw error
  }
}
