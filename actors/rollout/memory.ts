import type { Workload } from '../ports.ts'
import type { WantedRollout } from './wanted.ts'

/** State of the limiter's turn: requested, just granted, or held by a workload in progress. */
export type Turn = { state: 'none' } | { state: 'asked' | 'granted' | 'held'; namespace: string }

/** Pods without the profile that the last check of a restarted workload found. */
export interface PodsSeen {
  /** Version of the workload at the check: its pods are the same while it stays. */
  resourceVersion: string
  /** Earliest time of the next check, by the monotonic clock. */
  again: number
  outside: number
  /** Names of the first pods. */
  names: readonly string[]
}

/**
 * What the actor of a rollout knows in addition to the workloads. A cache: after a crash the policy sends its request
 * again.
 */
export interface Memory {
  wanted: WantedRollout | undefined
  /** By the API server's clock: later workloads have picked up the change already. */
  lastMade: number
  turn: Turn
  /** Number of requested turns: it tells a withdrawn turn from the current one. */
  turns: number
  /** The last progress sent to the policy, as JSON. */
  lastSent: string
  /** Earliest time of the next patch, by the monotonic clock. */
  retryAt: number
  /** The answer to the last patch. */
  patched: Workload | undefined
  /** Time of the last survey of all workloads, by the monotonic clock. */
  surveyedAt: number
  /**
   * By namespace: the last time that the API refused a patch there, by the monotonic clock. Such a namespace comes
   * last.
   */
  failedIn: ReadonlyMap<string, number>
  /** Why the API refused the last patch, or why the read of the pods failed. */
  refused: string | undefined
  /** By the workload's uid. */
  pods: ReadonlyMap<string, PodsSeen>
  /** By the workload's uid: when it was restarted for the change, if known, by the monotonic clock. */
  begun: ReadonlyMap<string, number>
}

const noPods: Memory['pods'] = new Map()
const noneBegun: Memory['begun'] = new Map()
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
  begun: noneBegun,
  failedIn: noneFailed,
})
