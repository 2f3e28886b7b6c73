import { isDeepStrictEqual } from 'node:util'
import { madeBy } from '../../api/annotations.ts'
import type { FieldError } from '../../api/field-error.ts'
import type { ArmorProfile } from '../../api/types.ts'
import type { AdmissionRequest } from '../../kube/admission.ts'

export type ProfileRequest = Pick<AdmissionRequest, 'operation' | 'object' | 'oldObject' | 'userInfo'>

/**
 * Errors of a write to an ArmorProfile or to a model's status. Only managers may write what agents enforce: the spec,
 * and the addresses in the status. Other users with RBAC rights may change what agents do not read, delete the object,
 * and remove its finalizers while it is being deleted.
 */
export function profileErrors(
  { operation, object, oldObject, userInfo }: ProfileRequest,
  writers: readonly string[],
): FieldError[] {
  const { username: given = 'an unknown user' } = userInfo
  if (object === null || writers.includes(given)) return []
  const problem = 'only the managers may write this object; change its policy instead'
  const error = (path: string): FieldError => ({
    code: 'NOT_ALLOWED',
    path,
    given,
    problem,
    allowed: writers.join(', '),
  })
  if (operation === 'CREATE' || oldObject === null) return [error('spec')]
  const [before, after] = [oldObject, object] as unknown as [ArmorProfile, ArmorProfile]
  const errors = (['spec', 'status'] as const)
    .filter((part) => !isDeepStrictEqual(after[part], before[part]))
    .map(error)
  if (after.metadata.deletionTimestamp !== undefined) return errors
  const label = after.metadata.labels?.[madeBy.key]
  return [
    ...errors,
    ...(label === undefined || label === before.metadata.labels?.[madeBy.key] ? [] : [error('metadata.labels')]),
    ...(ownersOf(after).every((owner) => ownersOf(before).includes(owner)) ? [] : [error('metadata.ownerReferences')]),
  ]
}

/** The owners, without `blockOwnerDeletion`, which the garbage collector changes. */
function ownersOf({ metadata: { ownerReferences } }: ArmorProfile): string[] {
  if (!Array.isArray(ownerReferences)) return []
  return ownerReferences.map(({ kind, name, uid, controller }) =>
    JSON.stringify([kind, name, uid, controller === true]),
  )
}
