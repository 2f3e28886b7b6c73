import type { ArmorProfile, ArmorProfileStatus, VarmorPolicyStatus } from '../../src/api/types.ts'
import type { AnyPolicy, CounterName, PolicyEvent, ProfileDocument } from '../ports.ts'
import type { RolloutMessage } from '../rollout.ts'
import type { DesiredOptions } from './desired.ts'
import type { LeftOutText } from './left-out.ts'
import type { Memory } from './memory.ts'
import type { Observation } from './observation.ts'
import type { Pace } from './pace.ts'

/** The next effect. Its answer changes the memory, so the actor carries out one effect, and then decides again. */
export type Effect =
  | { type: 'compile'; of: string; policy: AnyPolicy; options: DesiredOptions }
  | { type: 'set-policy-finalizers'; policy: AnyPolicy; finalizers: string[] }
  | { type: 'write-policy-status'; policy: AnyPolicy; status: VarmorPolicyStatus; pace: Pace }
  | { type: 'apply-profile'; policy: AnyPolicy; of: string; document: ProfileDocument; leftOut: LeftOutText }
  | { type: 'write-profile-status'; profile: ArmorProfile; status: ArmorProfileStatus; pace: Pace }
  /** Writes the status of the ArmorProfile with changed addresses. */
  | { type: 'write-egress'; profile: ArmorProfile; status: ArmorProfileStatus }
  | { type: 'mark-profile'; profile: ArmorProfile }
  | { type: 'delete-profile'; profile: ArmorProfile }
  /** `finalizers` are the remaining finalizers; undefined if ours is already gone. */
  | { type: 'release-profile'; profile: ArmorProfile; finalizers: string[] | undefined }

/**
 * Milliseconds until the next check, with one timer for each reason. The actor cancels the timer of a missing reason.
 */
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
  /** The message for the rollout actor. */
  rollout: RolloutMessage | undefined
  events: readonly PolicyEvent[]
  counts: readonly CounterName[]
  /** Nothing is left to do for this policy. */
  ended: boolean
  memory: Memory
}

/** A part of a decision. It does not change the fields that it omits. */
export type Part = Partial<Omit<Decision, 'memory'>> & { memory?: Partial<Memory> }

/** Combines parts into a decision. For fields that can have only one value, the last part wins. */
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
    // A failure is shown once. Without a policy, no status can show it.
    memory: Object.assign({ ...memory, failure: '' }, ...parts.map((part) => part.memory)),
  }
}
