import { beganAt } from '../../src/api/recording.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import { asWall, type WallMs } from '../../src/base/clock.ts'
import type { AnyPolicy } from '../ports.ts'

/** The start of a recording: as a time stamp in objects, and by the monotonic clock. */
export interface Began {
  stamp: number
  at: number
}

/** State of a policy's behaviour modelling. `ends` is by the monotonic clock. */
export type Modeling =
  | { state: 'none' }
  | { state: 'recording'; began: WallMs; ends: number }
  | { state: 'complete'; began: WallMs }

interface Times {
  now: number
  wall: WallMs
}

/**
 * Converts a new time stamp to the monotonic clock once: the recording keeps its length even if the wall clock is set
 * later. A new leader has only the wall clock.
 */
const monotonicStart = (stamp: number, known: Began | undefined, { now, wall }: Times): Began =>
  known?.stamp === stamp ? known : { stamp, at: now - Math.max(0, wall - stamp) }

/** When the profile's recording started; undefined without a recording. */
export function recordingNow(
  profile: ArmorProfile | undefined,
  known: Began | undefined,
  times: Times,
): Began | undefined {
  const modeling = profile?.spec.behaviorModeling
  if (modeling === undefined || (!modeling.enable && modeling.duration === 0)) return undefined
  return monotonicStart(beganAt(modeling, profile?.metadata.creationTimestamp), known, times)
}

/**
 * Modelling starts when the ArmorProfile is first set to record; the ArmorProfile stores this time for later leaders. A
 * changed duration counts from this time, so a shorter duration may end the modelling at once. An ended modelling stays
 * ended.
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
  // Rounds to whole seconds, as objects store times.
  const { stamp, at } = inForce ?? monotonicStart(Math.floor(times.wall / 1_000) * 1_000, undefined, times)
  const [began, ends] = [asWall(stamp), at + modelingOptions.duration * 60_000]
  const isOver = (inForce !== undefined && profile?.spec.behaviorModeling.enable === false) || times.now >= ends
  return isOver ? { state: 'complete', began } : { state: 'recording', began, ends }
}

/** When the modelling in the profile ends, by the monotonic clock; undefined without modelling. */
export function recordingEnds(
  profile: ArmorProfile | undefined,
  times: Times,
  known: Began | undefined,
): number | undefined {
  const modeling = profile?.spec.behaviorModeling
  if (modeling?.enable !== true) return undefined
  return recordingNow(profile, known, times)!.at + modeling.duration * 60_000
}
