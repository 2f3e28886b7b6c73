import type { WorkQueue } from '../work-queue.ts'
import type { Cluster, Writes } from './cluster.ts'
import { positive } from './deployment.ts'
import { type Pod, pods, type StatefulSet, statefulSets } from './objects.ts'
import { availability, isReady, isTerminal, isTerminating, podFrom, templateHash, thenReport } from './pods.ts'

export const REVISION_HASH = 'controller-revision-hash'

/** Keeps the named pods of stateful sets, one after the other. */
export const startStatefulSets = (cluster: Cluster): WorkQueue =>
  cluster.workloadQueue(statefulSets, async (set, writes, later) => {
    const all = cluster.podsOf(set)
    const { available, next } = availability(all, set.spec.minReadySeconds, cluster.now)
    const revision = `${set.metadata.name}-${templateHash(set.spec.template)}`
    await thenReport(new Pass(set, all, available, revision, writes).step(), async () => {
      if (next !== undefined) later(next)
      await writes.status(statefulSets, set, statusOf(set, all, available, revision))
    })
  })

const revisionOf = ({ metadata }: Pod): string => metadata.labels?.[REVISION_HASH] ?? ''

function statusOf(set: StatefulSet, all: readonly Pod[], available: ReadonlySet<Pod>, revision: string): object {
  const live = all.filter((pod) => !isTerminating(pod))
  const updated = live.filter((pod) => revisionOf(pod) === revision).length
  const { replicas = 1 } = set.spec
  const isThrough = [all.length, updated, available.size].every((count) => count === replicas)
  // When all pods are updated, the new revision becomes the current revision.
  const current = isThrough ? revision : (set.status?.currentRevision ?? revision)
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: all.length,
    ...positive({
      readyReplicas: all.filter(isReady).length,
      currentReplicas: live.filter((pod) => revisionOf(pod) === current).length,
      updatedReplicas: updated,
    }),
    ...{ currentRevision: current, updateRevision: revision, collisionCount: 0, availableReplicas: available.size },
  }
}

/** One pass over a stateful set. It creates missing pods, deletes surplus pods, and then replaces old pods. */
class Pass {
  readonly #set: StatefulSet
  readonly #all: readonly Pod[]
  readonly #available: ReadonlySet<Pod>
  readonly #revision: string
  readonly #writes: Writes

  constructor(set: StatefulSet, all: readonly Pod[], available: ReadonlySet<Pod>, revision: string, writes: Writes) {
    this.#set = set
    this.#all = all
    this.#available = available
    this.#revision = revision
    this.#writes = writes
  }

  async step(): Promise<void> {
    const { replicas = 1, updateStrategy, podManagementPolicy } = this.#set.spec
    const isParallel = podManagementPolicy === 'Parallel'
    for (let ordinal = 0; ordinal < replicas; ordinal++) if (!(await this.#fill(ordinal)) && !isParallel) return
    const surplus = this.#all.filter((pod) => this.#ordinalOf(pod) >= replicas)
    for (const pod of surplus.sort((a, b) => this.#ordinalOf(b) - this.#ordinalOf(a))) {
      if (!isTerminating(pod)) await this.#writes.delete(pods, pod)
      if (!isParallel) return
    }
    if (surplus.length === 0 && updateStrategy?.type !== 'OnDelete')
      await this.#replaceOld(replicas, updateStrategy?.rollingUpdate?.partition ?? 0)
  }

  #ordinalOf({ metadata: { name } }: Pod): number {
    return Number(name.slice(this.#set.metadata.name.length + 1))
  }

  #podAt(ordinal: number): Pod | undefined {
    return this.#all.find((pod) => this.#ordinalOf(pod) === ordinal)
  }

  /** @returns whether the pod exists and is available */
  async #fill(ordinal: number): Promise<boolean> {
    const pod = this.#podAt(ordinal)
    if (pod === undefined) await this.#create(ordinal)
    // Delete a pod that has ended; another pass creates it again when it is gone.
    else if (isTerminal(pod) && !isTerminating(pod)) await this.#writes.delete(pods, pod)
    return pod !== undefined && !isTerminating(pod) && this.#available.has(pod)
  }

  /** Creates a pod from the current template, even if its ordinal is below the partition. */
  async #create(ordinal: number): Promise<void> {
    const { spec, metadata } = this.#set
    const name = `${metadata.name}-${ordinal}`
    const labels = {
      [REVISION_HASH]: this.#revision,
      'statefulset.kubernetes.io/pod-name': name,
      'apps.kubernetes.io/pod-index': String(ordinal),
    }
    const place = { hostname: name, ...(spec.serviceName && { subdomain: spec.serviceName }) }
    await this.#writes.create(pods, podFrom(spec.template, this.#set, statefulSets, { name, labels, spec: place }))
  }

  /** Replaces old pods one at a time, from the last ordinal down to the partition. */
  async #replaceOld(replicas: number, partition: number): Promise<void> {
    for (let ordinal = replicas - 1; ordinal >= partition; ordinal--) {
      const pod = this.#podAt(ordinal)
      if (pod === undefined || isTerminating(pod)) return
      if (revisionOf(pod) !== this.#revision) return this.#writes.delete(pods, pod)
      if (!this.#available.has(pod)) return
    }
  }
}
