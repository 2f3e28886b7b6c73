import type { Workload } from '../ports.ts'

/**
 * Why pods of an older template stay until a user acts, and what to do; undefined if the workload replaces its pods
 * itself.
 */
export function replacedByHand({ kind, spec: { updateStrategy } }: Workload): string | undefined {
  if (kind === 'Deployment') return undefined
  if (updateStrategy?.type === 'OnDelete')
    return 'its update strategy is OnDelete, so each pod stays until you delete it'
  const isPartial = kind === 'StatefulSet' && (updateStrategy?.rollingUpdate?.partition ?? 0) > 0
  return isPartial
    ? 'its updateStrategy.rollingUpdate.partition keeps some pods from being updated; lower it'
    : undefined
}

/**
 * Undefined if all pods have the newest template and are available; otherwise the missing part, in the words of
 * `kubectl rollout status`.
 */
export function unhealthy(workload: Workload): string | undefined {
  const { metadata, status = {}, kind, spec } = workload
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'its controller has not seen the change yet'
  if (kind !== 'Deployment' && spec.updateStrategy?.type === 'OnDelete') return undefined
  return kind === 'DaemonSet' ? unhealthyDaemonSet(workload) : unhealthyReplicas(workload)
}

function unhealthyDaemonSet({ status = {} }: Workload): string | undefined {
  const { desiredNumberScheduled: desired = 0, updatedNumberScheduled: updated = 0, numberAvailable = 0 } = status
  if (updated < desired) return `${updated} of ${desired} pods are updated`
  return numberAvailable < desired ? `${numberAvailable} of ${desired} pods are available` : undefined
}

function unhealthyReplicas({ kind, spec, status = {} }: Workload): string | undefined {
  const replicas = spec.replicas ?? 1
  const { updatedReplicas: updated = 0, availableReplicas: available = 0 } = status
  // A StatefulSet with a partition updates only the pods from that ordinal upward.
  const partition = kind === 'StatefulSet' ? (spec.updateStrategy?.rollingUpdate?.partition ?? 0) : 0
  const wanted = Math.max(0, replicas - partition)
  if (updated < wanted) return `${updated} of ${wanted} pods are updated`
  const old = kind === 'Deployment' ? (status.replicas ?? 0) - updated : 0
  if (old > 0) return `${old} old pods still exist`
  return available < replicas ? `${available} of ${replicas} pods are available` : undefined
}
