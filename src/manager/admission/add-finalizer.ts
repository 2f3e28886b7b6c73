import { POLICY_FINALIZER } from '../../../actors/policy.ts'
import { apiVersion } from '../../api/schema/common.ts'
import { policyKinds } from '../../api/validate.ts'
import type { PatchOperation } from '../../base/json-patch.ts'
import type { AdmissionRequest } from '../../kube/admission.ts'

type HoldRequest = Pick<AdmissionRequest, 'kind' | 'operation' | 'subResource' | 'object'>

const [group] = apiVersion.split('/')

/** Whether the request creates a policy. */
export const makesPolicy = ({ kind, operation, subResource = '', object }: HoldRequest): boolean =>
  kind.group === group &&
  policyKinds.some((name) => name === kind.kind) &&
  operation === 'CREATE' &&
  subResource === '' &&
  object !== null

/**
 * The patch that gives a new policy our finalizer at its creation, so that no deletion comes before it and no extra
 * write is needed. If the webhook was not called, the policy's actor adds it.
 */
export function addFinalizer({ object }: HoldRequest): PatchOperation[] {
  const finalizers = object?.metadata?.finalizers
  if (!Array.isArray(finalizers)) return [{ op: 'add', path: '/metadata/finalizers', value: [POLICY_FINALIZER] }]
  if (finalizers.includes(POLICY_FINALIZER)) return []
  return [{ op: 'add', path: '/metadata/finalizers/-', value: POLICY_FINALIZER }]
}
