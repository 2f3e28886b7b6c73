import { isDeepStrictEqual } from 'node:util'
import type { ArmorProfile, PolicyMode } from '../../src/api/types.ts'
import type { AnyPolicy } from '../ports.ts'
import type { RolloutProgress } from '../rollout/wanted.ts'
import type { Desired } from './desired.ts'
import type { LeftOutText } from './left-out.ts'
import type { Began } from './modeling.ts'
import { type Pace, unwritten } from './pace.ts'
import type { Verdict } from './policy-status.ts'

/** The compilation result of a policy in one state. */
export interface Compiled {
  /** The state of the policy, its modelling and its model: see `stateOf`. */
  of: string
  desired: Desired
}

/** The verdict on one state of the policy and of the ArmorProfile. */
export interface Settled {
  of: string
  /** Version of the ArmorProfile in force at that time: see `versionOf`. */
  profile: string
  verdict: Verdict
  leftOut: LeftOutText
  /** Compile the policy again after this time. */
  until: number
}

/**
 * State that a policy's actor remembers between decisions. It is a cache: all of it can be read again from the API
 * server and the nodes. It is immutable: a decision or an answer makes a new memory. Times are by the monotonic clock.
 */
export interface Memory {
  /** Consecutive API failures. */
  failures: number
  convergedAt: number
  /**
   * Identifies the observed state when the last pass had nothing left to do: see `seenOf`. Empty if there was no such
   * pass.
   */
  looked: string
  /** Answers to our last writes, which the stores may lack. */
  policy: AnyPolicy | undefined
  profile: ArmorProfile | undefined
  profileWrittenAt: number
  /** Uid of the ArmorProfile that we deleted. `released`: uid of the ArmorProfile whose finalizer we removed. */
  deleted: string | undefined
  released: string | undefined
  /** Owner and name of the ArmorProfile that we released, until a new ArmorProfile exists. */
  lost: string | undefined
  /** Uid of the policy whose last finalizer we removed. */
  gone: string | undefined
  /** When the removal of the profile started. */
  removalSince: number | undefined
  /** The last compilation, kept until its verdict is settled. */
  compiled: Compiled | undefined
  settled: Settled | undefined
  /** Version of the profile whose status is from this manager, not from an earlier manager. */
  confirmed: string
  policyPace: Pace
  profilePace: Pace
  /** When addresses were last written. */
  egressAt: number
  /** Nodes whose failure has an Event, and the generation that failed. */
  failed: { generation: number; nodes: readonly string[] }
  /** When the ArmorProfile's recording started: the time stamp, and the monotonic time. */
  recording: Began | undefined
  /** The change whose restarts start with the next status, and the wall-clock time of their start. */
  beginning: { change: string; since: number } | undefined
  /** The last message to the rollout actor: the wanted change; undefined if the message wanted no change. */
  sentRollout: { change: string | undefined; mode?: PolicyMode | undefined } | undefined
  /** The last report of the rollout actor, and the part of it that an Event has announced. */
  progress: RolloutProgress | undefined
  announced: Pick<RolloutProgress, 'change' | 'since' | 'state'> | undefined
  /** Why this actor failed; kept until its status shows it. */
  failure: string
  /** Why the rollout actor failed; kept until it makes progress. */
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

/** Identifies a version of an ArmorProfile; empty if there is none. */
export const versionOf = (profile: ArmorProfile | undefined): string =>
  profile === undefined ? '' : `${profile.metadata.uid}/${profile.metadata.generation}`

/** Adds a report of the rollout actor. A repeated report from before its failure does not clear the failure. */
export function withProgress(memory: Memory, progress: RolloutProgress): Memory {
  const isFurther = !isDeepStrictEqual(progress, memory.progress)
  return { ...memory, progress, rolloutFailure: isFurther ? '' : memory.rolloutFailure }
}

export const withRolloutFailure = (memory: Memory, rolloutFailure: string): Memory => ({
  ...memory,
  sentRollout: undefined,
  rolloutFailure,
})
