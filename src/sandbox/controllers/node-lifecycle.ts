import type { WorkQueue } from '../work-queue.ts'
import { type Cluster, controllerOf, type Writes } from './cluster.ts'
import { type Condition, type Node, nodes, pods, timestamp } from './objects.ts'
import { conditionOf, isReady, isTerminating } from './pods.ts'

/**
 * Milliseconds without a renewal after which a node counts as lost. `eviction`: milliseconds for which a lost node
 * keeps its pods. Both values are those of Kubernetes.
 */
const monitorGrace = 50_000
const eviction = 300_000
/** Milliseconds for which pods of a deleted node are kept, because the node may return. */
const quarantine = 40_000

const NOT_READY = 'node.kubernetes.io/not-ready'

/** Taints unready nodes, marks nodes with an expired Lease as lost, and removes the pods of lost nodes. */
export function startNodeLifecycle(cluster: Cluster): WorkQueue {
  return new NodeLifecycle(cluster).queue
}

class NodeLifecycle {
  readonly queue: WorkQueue
  readonly #cluster: Cluster
  /**
   * The time at which a node last renewed its Lease, by this process's clock, because the node's clock may be wrong.
   */
  readonly #renewed = new Map<string, number>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.queue = cluster.queue('node lifecycle', (name, writes) => this.#sync(name, writes))
    cluster.nodes.onChange((after, before) => {
      if (after) this.queue.add(after.metadata.name)
      else this.queue.addAfter(before!.metadata.name, quarantine)
    })
    cluster.leases.onChange((after, before) => {
      if (!after || before?.spec?.renewTime === after.spec?.renewTime) return
      const { name } = after.metadata
      if (!this.#renewed.has(name) && cluster.nodes.store.get(name)) this.queue.add(name)
      this.#renewed.set(name, cluster.now)
    })
    cluster.pods.onChange((after) => {
      const { nodeName } = after?.spec ?? {}
      if (nodeName && !cluster.nodes.store.get(nodeName)) this.queue.addAfter(nodeName, quarantine)
    })
  }

  async #sync(name: string, writes: Writes): Promise<void> {
    const node = this.#cluster.nodes.store.get(name)
    if (node !== undefined) {
      await this.#watchOver(node, writes)
      await this.#taint(node, writes)
      return
    }
    this.#renewed.delete(name)
    for (const pod of this.#cluster.podsOn(name)) await writes.delete(pods, pod, { gracePeriodSeconds: 0 })
  }

  /** Checks a node's Lease. A node that never had a Lease cannot be lost. */
  async #watchOver(node: Node, writes: Writes): Promise<void> {
    const { name } = node.metadata
    const renewed = this.#renewed.get(name)
    if (renewed === undefined) return
    const silence = this.#cluster.now - renewed
    if (silence < monitorGrace) return this.queue.addAfter(name, monitorGrace - silence)
    if (conditionOf(node.status?.conditions, 'Ready')?.status !== 'Unknown')
      await writes.conditions(nodes, node, unknown(node, this.#cluster.now))
    await this.#clear(name, writes, silence >= monitorGrace + eviction)
    if (silence < monitorGrace + eviction) this.queue.addAfter(name, monitorGrace + eviction - silence)
  }

  /**
   * Marks the pods of a lost node as not ready, because the node does not report them. With `isEvicted`, also deletes
   * them, except pods of daemon sets, which wait for the node.
   */
  async #clear(name: string, writes: Writes, isEvicted: boolean): Promise<void> {
    const lastTransitionTime = timestamp(this.#cluster.now)
    for (const pod of this.#cluster.podsOn(name)) {
      if (isReady(pod)) await writes.conditions(pods, pod, [{ type: 'Ready', status: 'False', lastTransitionTime }])
      if (isEvicted && !isTerminating(pod) && controllerOf(pod)?.kind !== 'DaemonSet') await writes.delete(pods, pod)
    }
  }

  async #taint(node: Node, writes: Writes): Promise<void> {
    const current = node.spec.taints ?? []
    const others = current.filter(({ key }) => key !== NOT_READY)
    const isNodeReady = conditionOf(node.status?.conditions, 'Ready')?.status === 'True'
    const taints = isNodeReady ? others : [...others, { key: NOT_READY, effect: 'NoSchedule' }]
    if (isNodeReady ? others.length < current.length : others.length === current.length)
      // Send the version: if another client added a taint meanwhile, the write fails, and the taint is not lost.
      await writes.update(nodes, { ...node, spec: { ...node.spec, taints } })
  }
}

const unknown = ({ status }: Node, now: number): Condition[] =>
  (status?.conditions ?? []).map((condition) => ({
    ...condition,
    ...{ status: 'Unknown', reason: 'NodeStatusUnknown', message: 'The node no longer renews its Lease.' },
    lastTransitionTime: timestamp(now),
  }))
