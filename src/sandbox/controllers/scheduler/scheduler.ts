import { timestamp } from '../../api-server/context.ts'
import { keyOf } from '../../api-server/kube-object.ts'
import { type ClusterClient, isStatus } from '../cluster-client.ts'
import { type Controller, controllerQueue, type Environment } from '../environment.ts'
import type { Change } from '../informer-store.ts'
import { conditionOf, isTerminal, isTerminating } from '../pod-state.ts'
import { nodes as nodeResource, pods } from '../resources.ts'
import type { Node, Pod } from '../types.ts'
import type { WorkQueue } from '../work-queue.ts'
import { chooseNode, problemText } from './choose-node.ts'
import { ClusterRoom } from './cluster-room.ts'
import { namedNode } from './node-fit.ts'

export const defaultScheduler = 'default-scheduler'

/** Gives each pod that has no node one that it fits on. */
export function startScheduler(environment: Environment): Controller {
  const scheduler = new Scheduler(environment)
  return { name: 'scheduler', queue: scheduler.queue }
}

class Scheduler {
  readonly queue: WorkQueue
  private readonly environment: Environment
  private readonly room = new ClusterRoom()
  /** Keys of pods that fit nowhere: looked at again when a node changes or room becomes free. */
  private readonly stuck = new Set<string>()
  /** Names of nodes; a search goes on where the last one ended, so that all get their share. */
  private names: string[] | undefined
  private next = 0

  constructor(environment: Environment) {
    this.environment = environment
    const { informers } = environment
    this.queue = controllerQueue(environment, 'scheduler', (key, client) => this.schedule(key, client))
    informers.pods.onChange((change) => this.observePod(change))
    informers.nodes.onChange((change) => this.observeNode(change))
  }

  private observePod({ key, before, after }: Change<Pod>): void {
    if (before && before.metadata.uid !== after?.metadata.uid) this.room.removePod(before.metadata.uid ?? '')
    // A pod that is being bound has its place already, although the copy does not show it.
    if (after && (after.spec.nodeName || isTerminal(after))) this.room.setPod(after)
    const freed = before?.spec.nodeName && (!after || (isTerminal(after) && !isTerminal(before)))
    if (freed) this.retryStuck()
    if (after && waits(after)) this.queue.add(key)
    else this.stuck.delete(key)
  }

  private observeNode({ before, after }: Change<Node>): void {
    if (after) this.room.setNode(after)
    // Made again when it is needed: nodes come in thousands.
    if (!before || !after) this.names = undefined
    if (after && (!before || fitness(before) !== fitness(after))) this.retryStuck()
  }

  private retryStuck(): void {
    for (const key of this.stuck) this.queue.add(key)
    this.stuck.clear()
  }

  private async schedule(key: string, client: ClusterClient): Promise<void> {
    const pod = this.environment.informers.pods.store.get(key)
    if (!pod || !waits(pod)) return
    const choice = chooseNode(pod, this.candidates(pod), this.room)
    if ('reasons' in choice) return this.giveUp(pod, client, choice.reasons)
    this.stuck.delete(key)
    // Taken at once, so that the next pod is not put into the same room.
    this.room.setPod(pod, choice.node)
    await this.bind(pod, choice.node, client)
  }

  private *candidates({ spec }: Pod): Iterable<Node> {
    const { store } = this.environment.informers.nodes
    const named = namedNode(spec)
    if (named !== undefined) {
      const node = store.get(named)
      if (node) yield node
      return
    }
    this.names ??= store.keys()
    const { names } = this
    const from = this.next
    for (let index = 0; index < names.length; index++) {
      this.next = (from + index + 1) % names.length
      const node = store.get(names[(from + index) % names.length]!)
      if (node && !node.metadata.deletionTimestamp) yield node
    }
  }

  private async bind(pod: Pod, node: string, client: ClusterClient): Promise<void> {
    const { name, namespace = '', uid = '' } = pod.metadata
    try {
      await client.post(pods, pod, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: nodeResource.apiVersion, kind: nodeResource.kind, name: node },
      })
    } catch (error) {
      this.room.removePod(uid)
      const current = this.environment.informers.pods.store.get(keyOf(pod))
      if (current?.metadata.uid === uid) this.room.setPod(current)
      if (isStatus(error, 404)) return
      throw error
    }
    const message = `Successfully assigned ${namespace}/${name} to ${node}`
    this.environment.events.normal(defaultScheduler, pods, pod, 'Scheduled', message)
  }

  private async giveUp(pod: Pod, client: ClusterClient, reasons: ReadonlyMap<string, number>): Promise<void> {
    this.stuck.add(keyOf(pod))
    const total = this.environment.informers.nodes.store.size
    const message = problemText(reasons, total)
    const known = conditionOf(pod.status?.conditions, 'PodScheduled')
    if (known?.status === 'False' && known.message === message) return
    this.environment.events.warning(defaultScheduler, pods, pod, 'FailedScheduling', message)
    const now = timestamp(this.environment.clock.now())
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: known?.status === 'False' ? (known.lastTransitionTime ?? now) : now,
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    }
    const { uid = '' } = pod.metadata
    const patch = { metadata: { uid }, status: { conditions: [condition] } }
    try {
      await client.patch(pods, pod, patch, { type: 'strategic-merge', subresource: 'status' })
    } catch (error) {
      if (!isStatus(error, 404)) throw error
    }
  }
}

const waits = (pod: Pod): boolean =>
  !pod.spec.nodeName &&
  !isTerminating(pod) &&
  !isTerminal(pod) &&
  (pod.spec.schedulerName ?? defaultScheduler) === defaultScheduler &&
  (pod.spec.schedulingGates ?? []).length === 0

/** All of a node that decides whether a pod fits. */
const fitness = ({ metadata, spec, status }: Node): string =>
  JSON.stringify([metadata.labels, spec.taints, spec.unschedulable, status?.allocatable])
