import { createHash } from 'node:crypto'
import { canonicalJson } from '../../base/canonical-json.ts'
import { apiVersionOf, type KubeObject, type ResourceRef } from '../../kube/objects.ts'
import type { Writes } from './cluster.ts'
import { type Condition, type Metadata, type Pod, type PodTemplate, pods } from './objects.ts'

export const conditionOf = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type)

/**
 * The conditions, with this condition added or replaced. Its transition time does not change if its status does not.
 */
export function withCondition(conditions: readonly Condition[] = [], condition: Condition): Condition[] {
  const before = conditionOf(conditions, condition.type)
  if (before?.status === condition.status && before.reason === condition.reason) return [...conditions]
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined
  const others = conditions.filter(({ type }) => type !== condition.type)
  return [...others, since === undefined ? condition : { ...condition, lastTransitionTime: since }]
}

export const isReady = ({ status }: Pod): boolean => conditionOf(status?.conditions, 'Ready')?.status === 'True'
export const isTerminal = ({ status }: Pod): boolean => status?.phase === 'Failed' || status?.phase === 'Succeeded'
export const isTerminating = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined
/** Whether a pod is neither ended nor terminating. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !isTerminating(pod)

export interface Availability {
  /** Pods that have been ready for the time that their owner requires. */
  readonly available: ReadonlySet<Pod>
  /** Milliseconds until the next pod becomes available, if it stays ready. */
  readonly next: number | undefined
}

export function availability(all: readonly Pod[], minReadySeconds = 0, now: number): Availability {
  const available = new Set<Pod>()
  let next: number | undefined
  for (const pod of all.filter(isReady)) {
    const since = Date.parse(conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? '')
    const left = minReadySeconds === 0 ? 0 : since + minReadySeconds * 1000 - now
    if (left <= 0) available.add(pod)
    else next = Math.min(next ?? left, left)
  }
  return { available, next }
}

/** Letters and digits that do not form words: the alphabet of Kubernetes' generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** A short text for names and labels. Equal templates have the same text, in any order of fields. */
export function templateHash(template: PodTemplate): string {
  const digest = createHash('sha256').update(canonicalJson(template)).digest()
  return Array.from(digest.subarray(0, 10), (byte) => alphabet[byte % alphabet.length]).join('')
}

/** The owner reference with which a controller marks the objects that it creates. */
export const ownedBy = (ref: ResourceRef, { metadata: { name, uid } }: { metadata: Metadata }) => [
  { apiVersion: apiVersionOf(ref), kind: ref.kind, name, uid, controller: true, blockOwnerDeletion: true },
]

/** A pod that an owner creates. By default, its name is the owner's name with a random suffix. */
export function podFrom(
  template: PodTemplate,
  owner: KubeObject & { metadata: Metadata },
  ref: ResourceRef,
  { name, labels, spec }: { name?: string; labels?: Record<string, string>; spec?: object } = {},
): object {
  const { annotations, finalizers, labels: own } = template.metadata ?? {}
  return {
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name}-` } : { name }),
      namespace: owner.metadata.namespace,
      labels: { ...own, ...labels },
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: ownedBy(ref, owner),
    },
    spec: { ...template.spec, ...spec },
  }
}

/** Maximum pods that are created or deleted at once. */
const largestBurst = 500

/**
 * Creates pods in rounds: one, then two, then four, and so on. A failure ends the rounds, so that a failing creation is
 * not repeated a thousand times.
 * @throws the first failure
 */
export async function createPods(writes: Writes, made: readonly object[]): Promise<void> {
  const count = Math.min(made.length, largestBurst)
  for (let done = 0, size = 1; done < count; done += size, size *= 2)
    await allDone(made.slice(done, Math.min(done + size, count)).map((pod) => writes.create(pods, pod)))
}

/** Deletes all pods at once. @throws the first failure, after all deletions have been tried */
export const deletePods = (writes: Writes, doomed: readonly Pod[]): Promise<void> =>
  allDone(doomed.slice(0, largestBurst).map((pod) => writes.delete(pods, pod)))

async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

/** Runs the work and then reports, even after a failure, so that the status shows the missing pods before the retry. */
export async function thenReport(work: Promise<unknown>, report: (failure: unknown) => Promise<void>): Promise<void> {
  const failure: unknown = await work.then(
    () => undefined,
    (error: unknown) => error ?? new Error('failed'),
  )
  await report(failure)
  if (failure !== undefined) throw failure
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A number of pods: the value, or a percentage of the total (`25%`). */
export function scaledCount(value: string | number | undefined, total: number, round: 'up' | 'down'): number {
  if (typeof value !== 'string') return value ?? 0
  const share = (Number.parseInt(value, 10) * total) / 100
  return round === 'up' ? Math.ceil(share) : Math.floor(share)
}
