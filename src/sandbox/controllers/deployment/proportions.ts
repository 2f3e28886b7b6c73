import type { Deployment, ReplicaSet } from '../types.ts'
import { MAX_REPLICAS, numberIn } from './annotations.ts'
import { limitsOf, mostPods, wantedBy } from './limits.ts'
import { newestFirst, oldestFirst } from './replica-sets.ts'

/**
 * The sizes of the active replica sets of a deployment that is scaled in the middle of a rollout: each keeps its share,
 * so that scaling neither hastens nor turns back the rollout.
 */
export function proportionalSizes(deployment: Deployment, active: readonly ReplicaSet[]): Map<ReplicaSet, number> {
  const { replicas } = deployment.spec
  const allowed = replicas > 0 ? replicas + limitsOf(deployment).surge : 0
  const toAdd = allowed - wantedBy(active)
  // The largest first; among equals the newest grows and the oldest shrinks first.
  const order = [...active].sort(
    (a, b) => b.spec.replicas - a.spec.replicas || (toAdd > 0 ? newestFirst(a, b) : oldestFirst(a, b)),
  )
  const sizes = new Map<ReplicaSet, number>()
  let added = 0
  for (const set of order) {
    const share = toAdd === 0 ? 0 : shareOf(deployment, set, toAdd - added)
    added += share
    sizes.set(set, set.spec.replicas + share)
  }
  const largest = order[0]
  if (largest) sizes.set(largest, Math.max(0, sizes.get(largest)! + toAdd - added))
  return sizes
}

function shareOf(deployment: Deployment, set: ReplicaSet, left: number): number {
  if (left === 0) return 0
  const share = fraction(deployment, set)
  return left > 0 ? Math.min(share, left) : Math.max(share, left)
}

function fraction(deployment: Deployment, set: ReplicaSet): number {
  const size = set.spec.replicas
  if (deployment.spec.replicas === 0) return -size
  const before = numberIn(set, MAX_REPLICAS) || deployment.status?.replicas || 0
  if (before === 0) return 0
  return Math.round((size * mostPods(deployment)) / before) - size
}
