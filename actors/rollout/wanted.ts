import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { PolicyMode, Target } from '../../src/api/types.ts'

/** A change that a policy's workloads get by a restart. */
export interface WantedRollout {
  /** Identifies the change: letters, digits and `-`. */
  change: string
  /** When the restarts for the change started, in milliseconds since the epoch by the manager's wall clock. */
  since: number
  /**
   * When the policy was created or deleted, by the API server's clock: workloads that were created earlier lack the
   * change.
   */
  stamp: number
  /** The policy is being removed: take its profile out of the pod templates. */
  removing: boolean
  /** Undefined for a cluster policy. */
  namespace: string | undefined
  target: Target
  profileName: string
  enforcers: readonly KernelEnforcer[]
  /**
   * The policy's mode, for Seccomp: in mode RuntimeDefault it uses the runtime's own profile. Undefined: any mode, as
   * in a removal.
   */
  mode: PolicyMode | undefined
}

/** Progress of a rollout. Only the latest report counts. */
export interface RolloutProgress {
  change: string
  /** The `since` of the request: a policy may return to an earlier change, which restarts its workloads again. */
  since: number
  state: 'running' | 'paused' | 'done'
  /** Workloads that were restarted for the change and are healthy. */
  restarted: number
  /** Restarted workloads plus workloads that wait for a restart. */
  total: number
  /**
   * Why the rollout is paused or which namespace is stuck, and what to do; at the end, which workloads other policies
   * confine; otherwise empty.
   */
  message: string
}
