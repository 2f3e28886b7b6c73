import { isDeepStrictEqual } from 'node:util'
import type { ArmorProfile, PolicyMode } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'
import type { RolloutProgress } from '../rollout/wanted.ts'
import type { Desired } from './desired.ts'
import type { LeftOutText } from './left-out.ts'
import type { Began } from './modeling.ts'
import { type Pace, unwritten } from './pace.ts'
import type { Verdict } from './policy-status.ts'

/** What a policy, in one state, compiled to. */
export interface Compiled {
  /** The state of the policy, of its modelling and its model: see `stateOf`. */
  of: string
  desired: Desired
}

/** What came of what was compiled. It counts for one state of the policy and of the ArmorProfile. */
export interface Settled {
  of: string
  /** The ArmorProfile that is in force then: see `versionOf`. */
  profile: string
  verdict: Verdict
  leftOut: LeftOutText
  /** After that it is settled again. */
  until: number
}

/**
 * What the actor of a policy remembers from one decision to the next. A cache: all of it comes again from the API server and the
 * nodes. It is never changed: a decision, or an answer, makes another one. Times are by the monotonic clock.
 */
export interface Memory {
  /** Failures of the API in a row. */
  failures: number
  convergedAt: number
  /** What it saw when it had done all that it could do then: see `seenOf`. Empty: it has not come so far. */
  looked: string
  /** Answers to our last writes, which the stores may not have yet. */
  policy: AnyPolicy | undefined
  profile: ArmorProfile | undefined
  profileWrittenAt: number
  /** Uids of the ArmorProfile that was asked to go, and of the one that was let go. */
  deleted: string | undefined
  released: string | undefined
  /** Whose ArmorProfile was let go, and its name, until there is another one. */
  lost: string | undefined
  /** Uid of the policy that nothing held any more when we let it go. */
  gone: string | undefined
  /** Since when a profile is to go. */
  removalSince: number | undefined
  /** Until it is settled. */
  compiled: Compiled | undefined
  settled: Settled | undefined
  /** The version of the profile whose status is of this manager, not of one before. */
  confirmed: string
  policyPace: Pace
  profilePace: Pace
  /** When addresses were written last. */
  egressAt: number
  /** Nodes whose failure there was an Event for, and for which generation. */
  failed: { generation: number; nodes: readonly string[] }
  /** When the recording that the ArmorProfile tells of began: its time stamp, and by the monotonic clock. */
  recording: Began | undefined
  /** The change whose restart begins with the next status, and when by the time of day. */
  beginning: { change: string; since: number } | undefined
  /** What was sent to the rollout actor last: a change, or that nothing is wanted. */
  sentRollout: { change: string | undefined; mode?: PolicyMode | undefined } | undefined
  /** What the rollout actor reported last, and what of it there was an Event for. */
  progress: RolloutProgress | undefined
  announced: Pick<RolloutProgress, 'change' | 'since' | 'state'> | undefined
  /** Why this actor failed, until its status says so. */
  failure: string
  /** Why the rollout actor failed, until it gets further. */
  rolloutFailure: string
}

export const freshMemory = (failure = ''): Memory => ({
  failures: 0,
  convergedAt: Number.NEGATIVE_INFINITY,
  looked: '',
  policy: undefined,
  profile: undefined,
  profileWrittenAt: 0,
  deleted: undefined,
  released: undefined,
  lost: undefined,
  gone: undefined,
  removalSince: undefined,
  compiled: undefined,
  settled: undefined,
  confirmed: '',
  policyPace: unwritten,
  profilePace: unwritten,
  egressAt: Number.NEGATIVE_INFINITY,
  failed: { generation: 0, nodes: [] },
  recording: undefined,
  beginning: undefined,
  sentRollout: undefined,
  progress: undefined,
  announced: undefined,
  failure,
  rolloutFailure: '',
})

/** Which state of which ArmorProfile this is; empty for none. */
export const versionOf = (profile: ArmorProfile | undefined): string =>
  profile === undefined ? '' : `${profile.metadata.uid}/${profile.metadata.generation}`

/** The rollout actor reported. What it had reported before it failed is no success. */
export function withProgress(memory: Memory, progress: RolloutProgress): Memory {
  const isFurther = !isDeepStrictEqual(progress, memory.progress)
  return { ...memory, progress, rolloutFailure: isFurther ? '' : memory.rolloutFailure }
}

export const withRolloutFailure = (memory: Memory, rolloutFailure: string): Memory => ({
  ...memory,
  sentRollout: undefined,
  rolloutFailure,
})
