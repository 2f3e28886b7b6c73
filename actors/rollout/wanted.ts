import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { PolicyMode, Target } from '../../src/api/types.ts'

/** One change that a policy's workloads pick up by a restart. */
export interface WantedRollout {
  /** Identifies the change: letters, digits and `-`. */
  change: string
  /** When the change started, in milliseconds since the epoch by the manager's wall clock. */
  since: number
  /** When the policy was created or deleted, by the API server's clock: no earlier workload has picked it up. */
  stamp: number
  /** The policy is being removed: take its profile out of the pod templates. */
  removing: boolean
  /** Undefined for a cluster policy. */
  namespace: string | undefined
  target: Target
  profileName: string
  enforcers: readonly KernelEnforcer[]
  /** For Seccomp, which uses the runtime's own profile in one mode; undefined, as in a removal, for any mode. */
  mode: PolicyMode | undefined
}

/** Progress of a rollout. Level-triggered: the newest report counts. */
export interface RolloutProgress {
  change: string
  /** As in the request: a policy may return to a change, which restarts its workloads again. */
  since: number
  state: 'running' | 'paused' | 'done'
  /** Workloads that were restarted for the change and are healthy. */
  restarted: number
  /** Restarted workloads plus waiting ones. */
  total: number
  /**
   * Why it is paused or what is stuck, and what to do; at the end, which workloads other policies confine; otherwise
   * empty.
   */
  message: string
}
