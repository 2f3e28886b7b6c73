import type { WorkQueue } from '../work-queue.ts'
import type { Cluster, Writes } from './cluster.ts'
import { positive } from './deployment.ts'
import { type Pod, type ReplicaSet, replicaSets, timestamp } from './objects.ts'
import {
  availability,
  createPods,
  deletePods,
  isActive,
  isReady,
  messageOf,
  podFrom,
  thenReport,
  withCondition,
} from './pods.ts'

/** Keeps the number of pods that each replica set wants. */
export const startReplicaSets = (cluster: Cluster): WorkQueue =>
  cluster.workloadQueue(replicaSets, async (set, writes, later) => {
    const active = cluster.podsOf(set).filter(isActive)
    await thenReport(manage(set, active, writes), async (failure) => {
      const { available, next } = availability(active, set.spec.minReadySeconds, cluster.now)
      if (next !== undefined) later(next)
      const { conditions = [] } = set.status ?? {}
      const failed = {
        ...{ type: 'ReplicaFailure', status: 'True', lastTransitionTime: timestamp(cluster.now) },
        ...{ reason: 'FailedCreate', message: messageOf(failure) },
      }
      const current =
        failure === undefined
          ? conditions.filter(({ type }) => type !== 'ReplicaFailure')
          : withCondition(conditions, failed)
      await writes.status(replicaSets, set, {
        replicas: active.length,
        ...positive({ readyReplicas: active.filter(isReady).length, availableReplicas: available.size }),
        observedGeneration: set.metadata.generation ?? 0,
        ...(current.length > 0 && { conditions: current }),
      })
    })
  })

async function manage(set: ReplicaSet, active: readonly Pod[], writes: Writes): Promise<void> {
  const lacking = (set.spec.replicas ?? 1) - active.length
  const made = Array.from({ length: Math.max(0, lacking) }, () => podFrom(set.spec.template, set, replicaSets))
  if (lacking > 0) await createPods(writes, made)
  if (lacking < 0) await deletePods(writes, [...active].sort(leastUseful).slice(0, -lacking))
}

/** The order in which pods are removed: first pods without a node, then unready pods, then the youngest. */
function leastUseful(a: Pod, b: Pod): number {
  const worth = (pod: Pod): number => Number(Boolean(pod.spec.nodeName)) + Number(isReady(pod))
  const born = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0
  return worth(a) - worth(b) || born(b) - born(a) || (a.metadata.name < b.metadata.name ? -1 : 1)
}
