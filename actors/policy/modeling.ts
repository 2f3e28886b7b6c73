import { beganAt } from '../../src/api/recording.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import { asWall, type WallMs } from '../../src/base/clock.ts'
import type { AnyPolicy } from '../ports.ts'

/** When something began: the time stamp that objects have of it, and what that is by the monotonic clock. */
export interface Began {
  stamp: number
  at: number
}

/** How far the behaviour modelling of a policy is. `ends` is by the monotonic clock. */
export type Modeling =
  | { state: 'none' }
  | { state: 'recording'; began: WallMs; ends: number }
  | { state: 'complete'; began: WallMs }

interface Times {
  now: number
  wall: WallMs
}

/**
 * A time stamp is compared with the time of day once, when it is first seen: the recording lasts as long as it is to, even where the
 * time of day is set meanwhile. A manager that takes the lead has nothing but the time of day.
 */
const begun = (stamp: number, known: Began | undefined, { now, wall }: Times): Began =>
  known?.stamp === stamp ? known : { stamp, at: now - Math.max(0, wall - stamp) }

/** When the recording of the profile began; undefined when there is none. */
export function recordingNow(
  profile: ArmorProfile | undefined,
  known: Began | undefined,
  times: Times,
): Began | undefined {
  const modeling = profile?.spec.behaviorModeling
  if (modeling === undefined || (!modeling.enable && modeling.duration === 0)) return undefined
  return begun(beganAt(modeling, profile?.metadata.creationTimestamp), known, times)
}

/**
 * It begins when the ArmorProfile is first to record, and that stands in the ArmorProfile, for a manager that takes the lead. A duration
 * that is changed while it goes on counts from there: a shorter one may end it at once. What is over stays so.
 */
export function modelingOf(
  policy: AnyPolicy,
  profile: ArmorProfile | undefined,
  times: Times,
  known: Began | undefined,
): Modeling {
  const { mode, modelingOptions } = policy.spec.policy
  if (mode !== 'BehaviorModeling' || modelingOptions === undefined) return { state: 'none' }
  const inForce = recordingNow(profile, known, times)
  // Whole seconds, as they are written.
  const { stamp, at } = inForce ?? begun(Math.floor(times.wall / 1_000) * 1_000, undefined, times)
  const [began, ends] = [asWall(stamp), at + modelingOptions.duration * 60_000]
  const isOver = (inForce !== undefined && profile?.spec.behaviorModeling.enable === false) || times.now >= ends
  return isOver ? { state: 'complete', began } : { state: 'recording', began, ends }
}

/** When the modelling that the profile says is on ends, by the monotonic clock; undefined when there is none. */
export function recordingEnds(
  profile: ArmorProfile | undefined,
  times: Times,
  known: Began | undefined,
): number | undefined {
  const modeling = profile?.spec.behaviorModeling
  if (modeling?.enable !== true) return undefined
  return recordingNow(profile, known, times)!.at + modeling.duration * 60_000
}
