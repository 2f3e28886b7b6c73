import type { Deployment, ReplicaSet } from '../types.ts'
import { mostPods } from './limits.ts'

export const REVISION = 'deployment.kubernetes.io/revision'
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history'
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas'
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas'

/** Those that a replica set has of its own, or that are about the deployment's own text. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
])

/** Characters; about a hundred revisions. */
const longestHistory = 2000

type Annotations = Record<string, string>

export const revisionOf = ({ metadata }: ReplicaSet): number => Number(metadata.annotations?.[REVISION] ?? 0) || 0

/** What a replica set's annotations are to be when it serves as the newest of its deployment at a revision. */
export function newestAnnotations(deployment: Deployment, current: Annotations, revision: number): Annotations {
  const next = { ...current }
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {}))
    if (!ownAnnotations.has(key)) next[key] = value
  const old = current[REVISION]
  const oldRevision = Number(old ?? 0)
  if (Number.isNaN(oldRevision) || oldRevision >= revision) return next
  next[REVISION] = String(revision)
  // It comes back from an earlier revision: what it was then is kept.
  if (old !== undefined) next[REVISION_HISTORY] = history(current[REVISION_HISTORY] ?? '', old)
  return next
}

function history(before: string, revision: string): string {
  const kept = before === '' ? [] : before.split(',')
  while (kept.length > 0 && [...kept, revision].join(',').length > longestHistory) kept.shift()
  return [...kept, revision].join(',')
}

/** How large the deployment was when it last set the size of a replica set: a later difference is a scaling. */
export const sizeAnnotations = (deployment: Deployment): Annotations => ({
  [DESIRED_REPLICAS]: String(deployment.spec.replicas),
  [MAX_REPLICAS]: String(mostPods(deployment)),
})

export function numberIn({ metadata }: ReplicaSet, annotation: string): number | undefined {
  const text = metadata.annotations?.[annotation]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}
