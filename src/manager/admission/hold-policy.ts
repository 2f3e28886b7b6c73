import { POLICY_FINALIZER } from '../../../actors/policy.ts'
import { apiVersion } from '../../api/schema/common.ts'
import { policyKinds } from '../../api/validate.ts'
import type { PatchOperation } from '../../base/json-patch.ts'
import type { AdmissionRequest } from '../../kube/admission.ts'

type HoldRequest = Pick<AdmissionRequest, 'kind' | 'operation' | 'subResource' | 'object'>

const [group] = apiVersion.split('/')

/** Whether the request makes a policy. */
export const makesPolicy = ({ kind, operation, subResource = '', object }: HoldRequest): boolean =>
  kind.group === group &&
  policyKinds.some((name) => name === kind.kind) &&
  operation === 'CREATE' &&
  subResource === '' &&
  object !== null

/**
 * The patch that gives a new policy our finalizer from its first moment, so that no deletion comes too early and no write of its own
 * is needed. Where the webhook was not asked, the policy's actor sees to it.
 */
export function holdPolicy({ object }: HoldRequest): PatchOperation[] {
  const finalizers = object?.metadata?.finalizers
  if (!Array.isArray(finalizers)) return [{ op: 'add', path: '/metadata/finalizers', value: [POLICY_FINALIZER] }]
  if (finalizers.includes(POLICY_FINALIZER)) return []
  return [{ op: 'add', path: '/metadata/finalizers/-', value: POLICY_FINALIZER }]
}
