import type { Deployment } from './objects.ts'
import { scaledCount } from './pods.ts'

/** The wanted and existing pods of a replica set. */
export interface Size {
  readonly wanted: number
  readonly present: number
  readonly available: number
}

export interface Limits {
  /** Maximum pods beyond the wanted number. */
  readonly surge: number
  /** Maximum number of the wanted pods that may be unavailable. */
  readonly unavailable: number
}

/**
 * The limits of a rollout. A percentage is rounded up for the surge, and down for unavailable pods. If both limits were
 * zero, the rollout could never continue, so one pod may then be unavailable.
 */
export function limitsOf({ replicas = 1, strategy }: Deployment['spec']): Limits {
  if (strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 }
  const { maxSurge, maxUnavailable } = strategy?.rollingUpdate ?? {}
  const surge = scaledCount(maxSurge, replicas, 'up')
  const share = scaledCount(maxUnavailable, replicas, 'down')
  return { surge, unavailable: Math.min(surge === 0 && share === 0 ? 1 : share, replicas) }
}

const sum = (sizes: readonly Size[], of: (size: Size) => number): number =>
  sizes.reduce((total, size) => total + of(size), 0)

/**
 * The next step of a rollout: the sizes of the newest replica set and of the old replica sets. The newest set grows as
 * far as the surge allows. Otherwise the old sets first lose unavailable pods, and then pods for which enough other
 * pods are available.
 */
export function nextSizes(
  replicas: number,
  { surge, unavailable }: Limits,
  newest: Size,
  old: readonly Size[],
): { newest: number; old: number[] } {
  const sizes = old.map(({ wanted }) => wanted)
  const total = newest.wanted + sum(old, ({ wanted }) => wanted)
  const room = Math.max(
    0,
    replicas + surge - newest.wanted - sum(old, ({ wanted, present }) => Math.max(wanted, present)),
  )
  const grown = newest.wanted > replicas ? replicas : Math.min(replicas, newest.wanted + room)
  if (grown !== newest.wanted) return { newest: grown, old: sizes }
  const least = replicas - unavailable
  // As long as pods of the newest set are unavailable, the same number of old pods must stay.
  let mayGo = total - least - (newest.wanted - newest.available)
  for (const [index, { wanted, available }] of old.entries()) {
    const count = Math.max(0, Math.min(mayGo, wanted - available))
    sizes[index] = wanted - count
    mayGo -= count
  }
  let spare = Math.min(mayGo, newest.available + sum(old, ({ available }) => available) - least)
  for (const [index, size] of sizes.entries()) {
    const count = Math.max(0, Math.min(spare, size))
    sizes[index] = size - count
    spare -= count
  }
  return { newest: grown, old: sizes }
}
