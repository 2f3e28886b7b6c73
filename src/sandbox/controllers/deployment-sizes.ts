import type { Deployment } from './objects.ts'
import { scaledCount } from './pods.ts'

/** The wanted and existing pods of a replica set. */
export interface Size {
  readonly wanted: number
  readonly present: number
  readonly available: number
}

export interface Limits {
  /** Pods beyond the wanted number. */
  readonly surge: number
  /** Of the wanted ones. */
  readonly unavailable: number
}

/**
 * Shares of the surge are rounded up, those of unavailable pods down; if both are zero, the rollout could never
 * advance.
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
 * The next step of a rollout: sizes of the newest replica set and the old ones. It grows as far as the surge allows;
 * otherwise the old ones first give up unavailable pods, then those that enough available pods can replace.
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
  // Unavailable pods of the newest set count as needed.
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
