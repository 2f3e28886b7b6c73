import type { ArmorProfile, ArmorProfileStatus, VarmorPolicyStatus } from '../../src/api/types.ts'
import type { AnyPolicy, CounterName, PolicyEvent, ProfileDocument } from '../ports.ts'
import type { RolloutMessage } from '../rollout.ts'
import type { DesiredOptions } from './desired.ts'
import type { LeftOutText } from './left-out.ts'
import type { Memory } from './memory.ts'
import type { Observation } from './observation.ts'
import type { Pace } from './pace.ts'

/** What is done next. Its answer changes what is known, so there is one at a time, and another decision after it. */
export type Effect =
  | { type: 'compile'; of: string; policy: AnyPolicy; options: DesiredOptions }
  | { type: 'set-policy-finalizers'; policy: AnyPolicy; finalizers: string[] }
  | { type: 'write-policy-status'; policy: AnyPolicy; status: VarmorPolicyStatus; pace: Pace }
  | { type: 'apply-profile'; policy: AnyPolicy; of: string; document: ProfileDocument; leftOut: LeftOutText }
  | { type: 'write-profile-status'; profile: ArmorProfile; status: ArmorProfileStatus; pace: Pace }
  /** The status with other addresses in it. */
  | { type: 'write-egress'; profile: ArmorProfile; status: ArmorProfileStatus }
  | { type: 'mark-profile'; profile: ArmorProfile }
  | { type: 'delete-profile'; profile: ArmorProfile }
  /** `finalizers` are those that stay; undefined when ours is not there any more. */
  | { type: 'release-profile'; profile: ArmorProfile; finalizers: string[] | undefined }

/** When to look again, in milliseconds from now. One timer a reason; what is left out is waited for no longer. */
export type Timers = Partial<Record<TimerReason, number>>
export const timerReasons = [
  'watch',
  'settled',
  'modeling',
  'held',
  'policy-status',
  'profile-status',
  'egress',
  'silence',
  'removal',
] as const
export type TimerReason = (typeof timerReasons)[number]

export interface Decision {
  effect: Effect | undefined
  timers: Timers
  /** What is to be sent to the rollout actor. */
  rollout: RolloutMessage | undefined
  events: readonly PolicyEvent[]
  counts: readonly CounterName[]
  /** Nothing is left to do for this policy, ever. */
  ended: boolean
  memory: Memory
}

/** A contribution to a decision: what it leaves out stays. */
export type Part = Partial<Omit<Decision, 'memory'>> & { memory?: Partial<Memory> }

/** The decision that parts make together. Of what there can be one of, the last counts. */
export function decisionOf({ memory, profileUnseenUntil, now }: Observation, ...parts: Part[]): Decision {
  const watch: Timers = profileUnseenUntil === undefined ? {} : { watch: profileUnseenUntil - now }
  const last = <Key extends 'effect' | 'rollout' | 'ended'>(key: Key): Part[Key] | undefined =>
    parts.findLast((part) => part[key] !== undefined)?.[key]
  return {
    effect: last('effect'),
    rollout: last('rollout'),
    ended: last('ended') ?? false,
    timers: Object.assign(watch, ...parts.map(({ timers }) => timers)),
    events: parts.flatMap(({ events = [] }) => events),
    counts: parts.flatMap(({ counts = [] }) => counts),
    // A failure is shown once; where there is no policy to show it, never.
    memory: Object.assign({ ...memory, failure: '' }, ...parts.map((part) => part.memory)),
  }
}
