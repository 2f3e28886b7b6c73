import { isAvailable, isReady, isTerminating, phaseOf } from '../pod-state.ts'
import { positive } from '../replica-set/replica-set-status.ts'
import type { Pod, StatefulSet, StatefulSetStatus } from '../types.ts'
import { revisionOfPod } from './stateful-pod.ts'

export interface SetRevisions {
  /** Names of ControllerRevisions. */
  readonly current: string
  readonly update: string
  readonly collisions: number
}

export const isRunningAndReady = (pod: Pod): boolean => phaseOf(pod) === 'Running' && isReady(pod)

/** What a stateful set reports of its pods. Once all are updated, the update revision becomes the current one. */
export function statefulSetStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  { current, update, collisions }: SetRevisions,
  now: number,
): StatefulSetStatus {
  const { replicas: wanted, minReadySeconds = 0 } = set.spec
  const ready = pods.filter(isRunningAndReady)
  const live = pods.filter((pod) => !isTerminating(pod))
  const updated = live.filter((pod) => revisionOfPod(pod) === update).length
  const complete = updated === wanted && ready.length === wanted && pods.length === wanted
  const currentName = complete ? update : current
  const { conditions } = set.status ?? {}
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    ...positive('readyReplicas', ready.length),
    ...positive('currentReplicas', live.filter((pod) => revisionOfPod(pod) === currentName).length),
    ...positive('updatedReplicas', updated),
    currentRevision: currentName,
    updateRevision: update,
    collisionCount: collisions,
    ...(conditions ? { conditions } : {}),
    availableReplicas: ready.filter((pod) => isAvailable(pod, minReadySeconds, now)).length,
  }
}
