import { type JsonObject, sameJson } from '../../api-server/schema/json.ts'
import type { Deployment, PodTemplate, ReplicaSet } from '../types.ts'

export const TEMPLATE_HASH = 'pod-template-hash'

const age = ({ metadata }: ReplicaSet): number => Date.parse(metadata.creationTimestamp ?? '') || 0
const byName = (a: ReplicaSet, b: ReplicaSet): number => (a.metadata.name < b.metadata.name ? -1 : 1)

export const oldestFirst = (a: ReplicaSet, b: ReplicaSet): number => age(a) - age(b) || byName(a, b)
export const newestFirst = (a: ReplicaSet, b: ReplicaSet): number => oldestFirst(b, a)

export const isActiveSet = ({ spec }: ReplicaSet): boolean => spec.replicas > 0

/** Whether two templates make the same pods; the label that tells the sets of a deployment apart does not count. */
export function sameTemplate(a: PodTemplate, b: PodTemplate): boolean {
  return sameJson(withoutHash(a), withoutHash(b))
}

function withoutHash({ metadata = {}, ...rest }: PodTemplate): JsonObject {
  const { [TEMPLATE_HASH]: _, ...labels } = metadata.labels ?? {}
  const { creationTimestamp: __, ...others } = metadata
  return { ...rest, metadata: { ...others, labels } }
}

/** The replica set with the template of the deployment: the oldest, should there be several. */
export function findNewest({ spec }: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort(oldestFirst).find((set) => sameTemplate(set.spec.template, spec.template))
}
