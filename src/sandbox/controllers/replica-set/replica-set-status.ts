import { timestamp } from '../../api-server/context.ts'
import { withCondition, withoutCondition } from '../conditions.ts'
import { messageOf } from '../pod-control.ts'
import { conditionOf, isAvailable, isReady } from '../pod-state.ts'
import type { Condition, Pod, ReplicaSet, ReplicaSetStatus } from '../types.ts'

export interface ReplicaSetPods {
  readonly active: readonly Pod[]
  readonly terminating: readonly Pod[]
}

/** What a replica set reports of its pods. `failure` is why some could not be created or deleted. */
export function replicaSetStatus(
  set: ReplicaSet,
  { active, terminating }: ReplicaSetPods,
  failure: unknown,
  now: number,
): ReplicaSetStatus {
  const { minReadySeconds = 0, template } = set.spec
  const labels = Object.entries(template.metadata?.labels ?? {})
  const count = (test: (pod: Pod) => boolean): number => active.filter(test).length
  const conditions = failureConditions(set, active.length, failure, now)
  return {
    replicas: active.length,
    ...positive(
      'fullyLabeledReplicas',
      count(({ metadata }) => labels.every(([key, value]) => metadata.labels?.[key] === value)),
    ),
    ...positive('readyReplicas', count(isReady)),
    ...positive(
      'availableReplicas',
      count((pod) => isAvailable(pod, minReadySeconds, now)),
    ),
    terminatingReplicas: terminating.length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
  }
}

/** Counts that are zero are left out, as Kubernetes does. */
export const positive = (name: string, count: number): Record<string, number> => (count === 0 ? {} : { [name]: count })

function failureConditions(set: ReplicaSet, active: number, failure: unknown, now: number): Condition[] {
  const conditions = set.status?.conditions ?? []
  if (failure === undefined) return withoutCondition(conditions, 'ReplicaFailure')
  if (conditionOf(conditions, 'ReplicaFailure')) return [...conditions]
  return withCondition(conditions, {
    type: 'ReplicaFailure',
    status: 'True',
    lastTransitionTime: timestamp(now),
    reason: active < set.spec.replicas ? 'FailedCreate' : 'FailedDelete',
    message: messageOf(failure),
  })
}
