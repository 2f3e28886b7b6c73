import { daemonTolerations, mayRun } from '../../kube/scheduling.ts'
import type { WorkQueue } from '../work-queue.ts'
import type { Cluster, Writes } from './cluster.ts'
import { positive } from './deployment.ts'
import { type DaemonSet, daemonSets, type Node, type Pod } from './objects.ts'
import {
  type Availability,
  availability,
  createPods,
  deletePods,
  isReady,
  isTerminal,
  isTerminating,
  podFrom,
  scaledCount,
  templateHash,
  thenReport,
} from './pods.ts'
import { REVISION_HASH } from './stateful-set.ts'

/** Milliseconds between two passes. A pass handles all changes of this time together, because it checks all nodes. */
const interval = 100

/** Keeps one pod of each daemon set on each node that the set selects. */
export function startDaemonSets(cluster: Cluster): WorkQueue {
  const queue = cluster.workloadQueue(daemonSets, async (set, writes, later) => {
    const pass = new Pass(cluster, writes, set)
    await thenReport(pass.step(), async () => {
      await pass.report()
      if (pass.next !== undefined) later(pass.next)
    })
  })
  cluster.nodes.onChange((after, before) => {
    // Ignore other changes of a node, because nodes report often: only labels and taints decide which pods run on a
    // node.
    const decisive = (node: Node | undefined): string => JSON.stringify([node?.metadata.labels, node?.spec.taints])
    if (after && before && decisive(after) === decisive(before)) return
    for (const key of cluster.daemonSets.store.keys()) queue.addAfter(key, interval)
  })
  return queue
}

function isFor({ spec: { template } }: DaemonSet, node: Node): boolean {
  return mayRun(template.spec ?? {}, node, daemonTolerations)
}

class Pass {
  readonly #set: DaemonSet
  readonly #writes: Writes
  readonly #hash: string
  readonly #availability: Availability
  /** Pods on each node of the set, the oldest first. */
  readonly #wanted = new Map<string, Pod[]>()
  /** Pods on other existing nodes. Pods on a missing node disappear with the node. */
  readonly #misplaced: Pod[] = []

  constructor(cluster: Cluster, writes: Writes, set: DaemonSet) {
    this.#set = set
    this.#writes = writes
    this.#hash = templateHash(set.spec.template)
    const all = cluster.podsOf(set).filter((pod) => !(isTerminal(pod) && isTerminating(pod)))
    this.#availability = availability(all, set.spec.minReadySeconds, cluster.now)
    for (const node of cluster.nodes.store.values()) if (isFor(set, node)) this.#wanted.set(node.metadata.name, [])
    for (const pod of all.sort((a, b) => born(a) - born(b))) {
      const { nodeName = '' } = pod.spec
      const there = this.#wanted.get(nodeName)
      if (there) there.push(pod)
      else if (cluster.nodes.store.get(nodeName)) this.#misplaced.push(pod)
    }
  }

  get next(): number | undefined {
    return this.#availability.next
  }

  /** Creates missing pods and deletes misplaced pods. When both are done, replaces old pods. */
  async step(): Promise<void> {
    const places = [...this.#wanted]
    const missing = places.filter(([, pods]) => pods.length === 0)
    const surplus = [
      ...places.flatMap(([, pods]) => [...pods.filter(isTerminal), ...pods.slice(1)]),
      ...this.#misplaced,
    ]
    const doomed = [...new Set(surplus)].filter((pod) => !isTerminating(pod))
    await createPods(
      this.#writes,
      missing.map(([node]) => this.#podFor(node)),
    )
    await deletePods(this.#writes, doomed)
    if (missing.length === 0 && doomed.length === 0 && this.#set.spec.updateStrategy?.type !== 'OnDelete')
      await deletePods(this.#writes, this.#replaceable())
  }

  /** A pod for a node. The pod is bound at once, because only this node is possible. */
  #podFor(nodeName: string): object {
    const { template } = this.#set.spec
    const tolerations = [...(template.spec?.tolerations ?? []), ...daemonTolerations]
    const labels = { [REVISION_HASH]: this.#hash }
    return podFrom(template, this.#set, daemonSets, { labels, spec: { nodeName, tolerations } })
  }

  #isUpdated({ metadata }: Pod): boolean {
    return metadata.labels?.[REVISION_HASH] === this.#hash
  }

  /** Old pods that may be replaced: all unavailable pods, and available pods up to the limit of unavailable pods. */
  #replaceable(): Pod[] {
    const { available } = this.#availability
    const { maxUnavailable = 1 } = this.#set.spec.updateStrategy?.rollingUpdate ?? {}
    const present = [...this.#wanted.values()].flatMap((pods) => pods.filter((pod) => !isTerminating(pod)))
    const old = present.filter((pod) => !this.#isUpdated(pod))
    const missing = this.#wanted.size - present.filter((pod) => available.has(pod)).length
    const room = Math.max(1, scaledCount(maxUnavailable, this.#wanted.size, 'up')) - missing
    return [
      ...old.filter((pod) => !available.has(pod)),
      ...old.filter((pod) => available.has(pod)).slice(0, Math.max(0, room)),
    ]
  }

  async report(): Promise<void> {
    const first = [...this.#wanted.values()].flatMap((pods) => pods.slice(0, 1))
    const available = first.filter((pod) => this.#availability.available.has(pod)).length
    await this.#writes.status(daemonSets, this.#set, {
      currentNumberScheduled: first.length,
      numberMisscheduled: new Set(this.#misplaced.map(({ spec }) => spec.nodeName)).size,
      desiredNumberScheduled: this.#wanted.size,
      numberReady: first.filter(isReady).length,
      observedGeneration: this.#set.metadata.generation ?? 0,
      ...positive({
        updatedNumberScheduled: first.filter((pod) => this.#isUpdated(pod)).length,
        numberAvailable: available,
        numberUnavailable: this.#wanted.size - available,
      }),
    })
  }
}

const born = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0
