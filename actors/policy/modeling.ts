import { beganAt } from '../../src/api/recording.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'

/** How far the behaviour modelling of a policy is. Times are in milliseconds since the epoch. */
export type Modeling =
  | { state: 'none' }
  | { state: 'recording'; began: number; ends: number }
  | { state: 'complete'; began: number }

/**
 * It begins when the ArmorProfile is first to record, and that stands in the ArmorProfile, for a manager that takes the lead. A duration
 * that is changed while it goes on counts from there: a shorter one may end it at once. What is over stays so.
 */
export function modelingOf(policy: AnyPolicy, profile: ArmorProfile | undefined, now: number): Modeling {
  const { mode, modelingOptions } = policy.spec.policy
  if (mode !== 'BehaviorModeling' || modelingOptions === undefined) return { state: 'none' }
  const inForce = profile?.spec.behaviorModeling
  // Whole seconds, as they are written.
  if (inForce === undefined || (!inForce.enable && inForce.duration === 0))
    return recordingFrom(Math.floor(now / 1_000) * 1_000, modelingOptions.duration, now)
  const began = beganAt(inForce, profile?.metadata.creationTimestamp)
  return inForce.enable ? recordingFrom(began, modelingOptions.duration, now) : { state: 'complete', began }
}

function recordingFrom(began: number, minutes: number, now: number): Modeling {
  const ends = began + minutes * 60_000
  return now >= ends ? { state: 'complete', began } : { state: 'recording', began, ends }
}

/** When the modelling that the profile says is on ends; in the past when there is none. */
export function recordingEnds(profile: ArmorProfile | undefined): number {
  const modeling = profile?.spec.behaviorModeling
  if (modeling?.enable !== true) return 0
  return beganAt(modeling, profile?.metadata.creationTimestamp) + modeling.duration * 60_000
}
