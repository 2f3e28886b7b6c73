import type { Workload } from '../ports.ts'
import type { WantedRollout } from './wanted.ts'

/** Whose turn it is, by the limiter: asked for, given just now, or held by a workload on its way. */
export type Turn = { state: 'none' } | { state: 'asked' | 'granted' | 'held'; namespace: string }

/** What the last look at the pods of a restarted workload found: those that run without the profile. */
export interface PodsSeen {
  /** Of the workload then: as long as it has it, its pods are the same. */
  resourceVersion: string
  /** Not before this are they looked at again, by the monotonic clock. */
  again: number
  outside: number
  /** The first of them. */
  names: readonly string[]
}

/** What the actor of a rollout knows beside the workloads. A cache: after a crash the policy says again what is wanted. */
export interface Memory {
  wanted: WantedRollout | undefined
  /** By the API server's clock: workloads made later have picked up the change already. */
  lastMade: number
  turn: Turn
  /** Counts the turns asked for, so that one that was given back is not taken for another. */
  turns: number
  /** The progress that the policy was sent last, as JSON. */
  lastSent: string
  /** Not before this is another patch sent, by the monotonic clock. */
  retryAt: number
  /** What the last patch resolved to. */
  patched: Workload | undefined
  /** When all workloads were looked at last, by the monotonic clock. */
  surveyedAt: number
  /** By the namespace: when the API last did not take a patch in it, by the monotonic clock. It comes after the others. */
  failedIn: ReadonlyMap<string, number>
  /** Why the API did not take the last patch, or did not show the pods. */
  refused: string | undefined
  /** By the workload's uid. */
  pods: ReadonlyMap<string, PodsSeen>
  /** By the workload's uid: when it was restarted for the change, as far as is known, by the monotonic clock. */
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
