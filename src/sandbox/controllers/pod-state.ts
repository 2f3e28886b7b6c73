import type { Condition, Pod } from './types.ts'

export const conditionOf = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type)

export const phaseOf = (pod: Pod): string => pod.status?.phase ?? ''

export const isReady = (pod: Pod): boolean => conditionOf(pod.status?.conditions, 'Ready')?.status === 'True'

/** Since when a pod has been ready, in milliseconds; undefined when it is not. */
export function readySince(pod: Pod): number | undefined {
  const ready = conditionOf(pod.status?.conditions, 'Ready')
  if (ready?.status !== 'True' || !ready.lastTransitionTime) return undefined
  return Date.parse(ready.lastTransitionTime)
}

/** Ready for at least so many seconds. */
export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  if (!isReady(pod)) return false
  if (minReadySeconds === 0) return true
  const since = readySince(pod)
  return since !== undefined && since + minReadySeconds * 1000 <= now
}

/** Milliseconds until the next of these pods becomes available if it stays ready; undefined when none is on the way. */
export function nextAvailability(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  if (minReadySeconds === 0) return undefined
  let soonest: number | undefined
  for (const pod of pods) {
    const since = readySince(pod)
    if (since === undefined || isAvailable(pod, minReadySeconds, now)) continue
    const wait = since + minReadySeconds * 1000 - now
    if (soonest === undefined || wait < soonest) soonest = wait
  }
  return soonest
}

export const isTerminal = (pod: Pod): boolean => phaseOf(pod) === 'Failed' || phaseOf(pod) === 'Succeeded'

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined

/** Neither ended nor on its way out. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !isTerminating(pod)

/** On its way out, but not ended yet. */
export const isEnding = (pod: Pod): boolean => !isTerminal(pod) && isTerminating(pod)

export const createdAt = (pod: Pod): number => Date.parse(pod.metadata.creationTimestamp ?? '') || 0
