import type { Workload } from '../ports.ts'
import type { WantedRollout } from './wanted.ts'

/** State of the turn from the limiter: requested, just granted, or held by a restart in progress. */
export type Turn = { state: 'none' } | { state: 'asked' | 'granted' | 'held'; namespace: string }

/** Pods without the profile, found by the last check of a restarted workload. */
export interface PodsSeen {
  /** Version of the workload at the check. The result is valid while the workload has this version. */
  resourceVersion: string
  /** Earliest time of the next check, by the monotonic clock. */
  again: number
  outside: number
  /** Names of the first pods without the profile. */
  names: readonly string[]
}

/**
 * Facts that the rollout actor remembers in addition to the workloads. They may be lost: after a crash the policy's
 * actor sends its request again.
 */
export interface Memory {
  wanted: WantedRollout | undefined
  /** By the API server's clock: workloads that were created later already have the change. */
  lastMade: number
  turn: Turn
  /** Number of turns requested so far. It distinguishes a withdrawn turn from the current turn. */
  turns: number
  /** The last progress sent to the policy, as JSON. */
  lastSent: string
  /** Earliest time of the next patch, by the monotonic clock. */
  retryAt: number
  /** The workload in the answer to the last patch. */
  patched: Workload | undefined
  /** Time of the last survey of all workloads, by the monotonic clock. */
  surveyedAt: number
  /**
   * For each namespace: the last time that the API server refused a patch, by the monotonic clock. Workloads of such a
   * namespace come last.
   */
  failedIn: ReadonlyMap<string, number>
  /** Why the API server refused the last patch, or the read of the pods. */
  refused: string | undefined
  /** Pods without the profile, by the workload's uid. */
  pods: ReadonlyMap<string, PodsSeen>
  /** When a workload was restarted for the change, by the workload's uid and by the monotonic clock. */
  started: ReadonlyMap<string, number>
}

const noPods: Memory['pods'] = new Map()
const noneStarted: Memory['started'] = new Map()
const noneFailed: Memory['failedIn'] = new Map()

export const idle = (turns = 0): Memory => ({
  wanted: undefined,
  lastMade: Number.NEGATIVE_INFINITY,
  turn: { state: 'none' },
  turns,
  lastSent: '',
  retryAt: 0,
  patched: undefined,
  surveyedAt: Number.NEGATIVE_INFINITY,
  refused: undefined,
  pods: noPods,
  started: noneStarted,
  failedIn: noneFailed,
})
