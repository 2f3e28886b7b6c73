import type { ArmorProfile } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'

/** How far the behaviour modelling of a policy is. Times are in milliseconds since the epoch. */
export type Modeling = { state: 'none' } | { state: 'recording'; ends: number } | { state: 'complete' }

/** It begins with the ArmorProfile; one that does not exist yet begins now. A duration that was lowered ends it early. */
export function modelingOf(policy: AnyPolicy, profile: ArmorProfile | undefined, now: number): Modeling {
  const { mode, modelingOptions } = policy.spec.policy
  if (mode !== 'BehaviorModeling' || modelingOptions === undefined) return { state: 'none' }
  const began = typeof profile?.metadata.creationTimestamp === 'string' ? profile.metadata.creationTimestamp : undefined
  const ends = (began === undefined ? now : Date.parse(began)) + modelingOptions.duration * 60_000
  return now >= ends ? { state: 'complete' } : { state: 'recording', ends }
}
