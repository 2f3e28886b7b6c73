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
 * The patch that adds our finalizer to a new policy. The webhook saves a separate write, and the policy cannot be
 * deleted before it has the finalizer. If the API server did not call the webhook, the policy's actor adds the
 * finalizer.
 */
export function addFinalizer({ object }: HoldRequest): PatchOperation[] {
  const finalizers = object?.metadata?.finalizers
  if (!Array.isArray(finalizers)) return [{ op: 'add', path: '/metadata/finalizers', value: [POLICY_FINALIZER] }]
  if (finalizers.includes(POLICY_FINALIZER)) return []
  return [{ op: 'add', path: '/metadata/finalizers/-', value: POLICY_FINALIZER }]
}
