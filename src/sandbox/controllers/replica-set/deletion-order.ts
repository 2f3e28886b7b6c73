import { createdAt, isReady, phaseOf, readySince } from '../pod-state.ts'
import type { Pod } from '../types.ts'

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'
const phases: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 }

interface Ranked {
  readonly pod: Pod
  /** How many pods of the same kind are on its node. */
  readonly neighbours: number
}

/**
 * Which pods go when there are too many: those that serve least, then those whose node has most others, then the
 * youngest (kubernetes, pkg/controller, ActivePodsWithRanks). `related` are the active pods of all replica sets of the
 * same owner.
 */
export function podsToDelete(pods: readonly Pod[], related: readonly Pod[], count: number, now: number): Pod[] {
  if (count >= pods.length) return [...pods]
  const perNode = new Map<string, number>()
  for (const { spec } of related) perNode.set(spec.nodeName ?? '', (perNode.get(spec.nodeName ?? '') ?? 0) + 1)
  const ranked = pods.map((pod) => ({ pod, neighbours: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
  return ranked
    .sort((a, b) => compare(a, b, now))
    .slice(0, count)
    .map(({ pod }) => pod)
}

/** Negative when the first one goes before the second. */
function compare(a: Ranked, b: Ranked, now: number): number {
  return (
    Number(Boolean(a.pod.spec.nodeName)) - Number(Boolean(b.pod.spec.nodeName)) ||
    (phases[phaseOf(a.pod)] ?? 0) - (phases[phaseOf(b.pod)] ?? 0) ||
    Number(isReady(a.pod)) - Number(isReady(b.pod)) ||
    costOf(a.pod) - costOf(b.pod) ||
    b.neighbours - a.neighbours ||
    byAge(readySince(a.pod), readySince(b.pod), now) ||
    restartsOf(b.pod) - restartsOf(a.pod) ||
    byAge(createdAt(a.pod), createdAt(b.pod), now) ||
    ((a.pod.metadata.uid ?? '') < (b.pod.metadata.uid ?? '') ? -1 : 1)
  )
}

function costOf({ metadata }: Pod): number {
  const text = metadata.annotations?.[deletionCost] ?? '0'
  return /^(0|[+-]?[1-9]\d*)$/.test(text) ? Number(text) : 0
}

/** Ages are compared by their magnitude only, so that old pods go in no order that depends on who came first. */
function byAge(a: number | undefined, b: number | undefined, now: number): number {
  if (a === undefined || b === undefined || a === b) return 0
  return magnitude(now - a) - magnitude(now - b)
}

/** The power of two of an age in nanoseconds. */
const magnitude = (age: number): number => (age > 0 ? Math.floor(Math.log2(age * 1_000_000)) : -1)

function restartsOf({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount))
}
