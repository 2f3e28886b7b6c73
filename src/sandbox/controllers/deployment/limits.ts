import { scaledCount } from '../int-or-percent.ts'
import type { Deployment, ReplicaSet } from '../types.ts'

export const isRolling = ({ spec }: Deployment): boolean => spec.strategy.type === 'RollingUpdate'

/** How many pods may be there beyond the wanted ones, and how many of the wanted ones may be unavailable. */
export interface Limits {
  readonly surge: number
  readonly unavailable: number
}

/**
 * Shares of the surge are rounded up, those of the unavailable down; if both come to nothing, one may be unavailable,
 * or nothing could ever move.
 */
export function limitsOf(deployment: Deployment): Limits {
  const { replicas, strategy } = deployment.spec
  if (!isRolling(deployment)) return { surge: 0, unavailable: 0 }
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate ?? {}
  const surge = scaledCount(maxSurge, replicas, 'up')
  const share = scaledCount(maxUnavailable, replicas, 'down')
  return { surge, unavailable: Math.min(surge === 0 && share === 0 ? 1 : share, replicas) }
}

/** The most pods that a rollout may have at a time. */
export const mostPods = (deployment: Deployment): number => deployment.spec.replicas + limitsOf(deployment).surge

export const wantedBy = (sets: readonly ReplicaSet[]): number => sets.reduce((sum, { spec }) => sum + spec.replicas, 0)

/** The size that the newest replica set may have now: as large as wanted, as far as the surge leaves room. */
export function newSetSize(deployment: Deployment, all: readonly ReplicaSet[], size: number): number {
  const { replicas } = deployment.spec
  if (!isRolling(deployment)) return replicas
  const room = mostPods(deployment) - wantedBy(all)
  return room <= 0 ? size : size + Math.min(room, replicas - size)
}
