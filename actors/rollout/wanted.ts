import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { PolicyMode, Target } from '../../src/api/types.ts'

/** One change that the workloads of a policy are to pick up by a restart. */
export interface WantedRollout {
  /** Names the change: the same text, the same change. Letters, digits and `-`. */
  change: string
  /** When it began, in milliseconds since the epoch by the time of day of the manager. */
  since: number
  /** When the policy was made, or deleted, by the API server's clock: no workload made before that has picked it up. */
  stamp: number
  /** The policy goes: its profile is to leave the pod templates. */
  removing: boolean
  /** Undefined for a policy of the whole cluster. */
  namespace: string | undefined
  target: Target
  profileName: string
  enforcers: readonly KernelEnforcer[]
  /** Of Seccomp, whose profile is the runtime's own in one of them; undefined where any will do, as the policy goes. */
  mode: PolicyMode | undefined
}

/** How far it is. Level-triggered: the newest counts. */
export interface RolloutProgress {
  change: string
  /** As it was wanted: a policy may come back to a change, whose workloads are then restarted again. */
  since: number
  state: 'running' | 'paused' | 'done'
  /** Workloads that were restarted for the change, and are well. */
  restarted: number
  /** Those, and the ones that are to follow. */
  total: number
  /** Why it is paused, or what is stuck while others go on, and what to do; in the end, what other policies confine; else empty. */
  message: string
}
