import { timestamp } from '../../api-server/context.ts'
import { withCondition, withoutCondition } from '../conditions.ts'
import { conditionOf } from '../pod-state.ts'
import { positive } from '../replica-set/replica-set-status.ts'
import type { Condition, Deployment, DeploymentStatus, ReplicaSet, ReplicaSetStatus } from '../types.ts'
import { limitsOf, wantedBy } from './limits.ts'

/** The replica sets of a deployment. */
export interface Sets {
  readonly newest: ReplicaSet | undefined
  readonly old: readonly ReplicaSet[]
}

export const allOf = ({ newest, old }: Sets): ReplicaSet[] => (newest ? [...old, newest] : [...old])

export const sumOf = (sets: readonly ReplicaSet[], field: keyof ReplicaSetStatus): number =>
  sets.reduce((sum, { status }) => sum + Number(status?.[field] ?? 0), 0)

export function deploymentCondition(
  type: string,
  status: string,
  reason: string,
  message: string,
  now: number,
): Condition {
  const time = timestamp(now)
  return { type, status, lastUpdateTime: time, lastTransitionTime: time, reason, message }
}

/** What a deployment reports of its replica sets, progress apart. */
export function deploymentStatus(deployment: Deployment, sets: Sets, now: number): DeploymentStatus {
  const all = allOf(sets)
  const available = sumOf(all, 'availableReplicas')
  const { collisionCount, conditions = [] } = deployment.status ?? {}
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...positive('replicas', sumOf(all, 'replicas')),
    ...positive('updatedReplicas', sumOf(sets.newest ? [sets.newest] : [], 'replicas')),
    ...positive('readyReplicas', sumOf(all, 'readyReplicas')),
    ...positive('availableReplicas', available),
    ...positive('unavailableReplicas', Math.max(0, wantedBy(all) - available)),
    terminatingReplicas: sumOf(all, 'terminatingReplicas'),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(conditions, availability(deployment, available, now)),
  }
}

function availability(deployment: Deployment, available: number, now: number): Condition {
  const enough = available >= deployment.spec.replicas - limitsOf(deployment).unavailable
  return enough
    ? deploymentCondition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', now)
    : deploymentCondition(
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        now,
      )
}

/** The largest number that a 32-bit field takes stands for no deadline. */
const noDeadline = 2 ** 31 - 1

export const hasDeadline = ({ spec }: Deployment): boolean =>
  spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== noDeadline

export function isComplete({ spec, metadata }: Deployment, status: DeploymentStatus): boolean {
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0, observedGeneration = 0 } = status
  return (
    updatedReplicas === spec.replicas &&
    replicas === spec.replicas &&
    availableReplicas === spec.replicas &&
    observedGeneration >= (metadata.generation ?? 0)
  )
}

/** The status with what it says of progress (kubernetes, pkg/controller/deployment/progress.go). */
export function withProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  sets: Sets,
  now: number,
): DeploymentStatus {
  const withFailures = replicaFailures(status.conditions ?? [], sets)
  const conditions = hasDeadline(deployment)
    ? progressConditions(deployment, { ...status, conditions: withFailures }, sets.newest, now)
    : withoutCondition(withFailures, 'Progressing')
  return { ...status, conditions }
}

function progressConditions(
  deployment: Deployment,
  status: DeploymentStatus,
  newest: ReplicaSet | undefined,
  now: number,
): Condition[] {
  const conditions = status.conditions ?? []
  const current = conditionOf(deployment.status?.conditions, 'Progressing')
  const settled = status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable'
  if (settled) return conditions
  const subject = newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`
  const progressing = (state: string, reason: string, what: string): Condition =>
    deploymentCondition('Progressing', state, reason, `${subject} ${what}.`, now)
  if (isComplete(deployment, status))
    return withCondition(conditions, progressing('True', 'NewReplicaSetAvailable', 'has successfully progressed'))
  if (moves(deployment.status ?? {}, status)) {
    // Also with the same reason: the time of the last progress is what the deadline counts from.
    const next = progressing('True', 'ReplicaSetUpdated', 'is progressing')
    const since = current?.status === 'True' ? current.lastTransitionTime : undefined
    return [...withoutCondition(conditions, 'Progressing'), since ? { ...next, lastTransitionTime: since } : next]
  }
  if (isTimedOut(deployment, conditions, now))
    return withCondition(conditions, progressing('False', 'ProgressDeadlineExceeded', 'has timed out progressing'))
  return conditions
}

/** New pods came, became ready or available, or old ones went. */
function moves(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

function isTimedOut(deployment: Deployment, conditions: readonly Condition[], now: number): boolean {
  const condition = conditionOf(conditions, 'Progressing')
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false
  return condition.reason === 'ProgressDeadlineExceeded' || deadlineOf(deployment, condition) < now
}

/** In milliseconds since the epoch. */
export const deadlineOf = ({ spec }: Deployment, { lastUpdateTime = '' }: Condition): number =>
  Date.parse(lastUpdateTime) + (spec.progressDeadlineSeconds ?? 0) * 1000

/** What keeps a replica set from its pods is said on the deployment as well, of the newest set first. */
function replicaFailures(conditions: readonly Condition[], sets: Sets): Condition[] {
  const first = sets.newest ? [sets.newest, ...sets.old] : sets.old
  for (const { status } of first) {
    const failure = conditionOf(status?.conditions, 'ReplicaFailure')
    if (failure) return withCondition(conditions, { ...failure, lastUpdateTime: failure.lastTransitionTime ?? '' })
  }
  return withoutCondition(conditions, 'ReplicaFailure')
}
