import { isDeepStrictEqual } from 'node:util'
import type { Judgement } from '../../../actors/compiler/judge.ts'
import type { JobOptions } from '../../../actors/compiler/ports.ts'
import type { FieldError } from '../../api/field-error.ts'
import { apiVersion } from '../../api/schema/common.ts'
import type { AnyPolicy } from '../../api/types.ts'
import { policyKinds } from '../../api/validate.ts'
import { fieldOf } from '../../base/is-record.ts'
import type { AdmissionRequest } from '../../kube/admission.ts'
import type { KubeObject } from '../../kube/objects.ts'
import type { PolicyIndex } from './policy-index.ts'
import { type ProfileRequest, profileErrors } from './validate-profile.ts'

/** `peer` is the client's address. The client is the API server, or pretends to be it. */
export type Caller = Pick<JobOptions, 'peer' | 'signal'>

export interface ValidateOptions {
  /** Runs `judgePolicy`, which may take long. Rejects with a CompilerError. */
  judge(object: KubeObject, before: KubeObject | undefined, caller: Caller): Promise<Judgement>
  /** Whether this installation can record models. If not, new policies in mode BehaviorModeling are refused. */
  behaviorModeling: boolean
  /** Users of managers. Only these users may write ArmorProfiles and the status of models. Absent: not checked. */
  profileWriters?: readonly string[] | undefined
  caller: Caller
  /** Whether managers have the memory for one more VarmorPolicy of the namespace. Default: always. */
  takesMore?(namespace: string): boolean
  /** Used for the warning that a cluster policy has priority. */
  index: PolicyIndex
}

export type ValidateRequest = Pick<AdmissionRequest, 'kind' | 'namespace' | 'subResource'> & ProfileRequest

export interface Verdict {
  /** The first errors. The request is allowed if there are none. */
  errors: FieldError[]
  /** Number of all errors. */
  count: number
  warnings: string[]
}

const allowed: Verdict = { errors: [], count: 0, warnings: [] }
const group = apiVersion.slice(0, apiVersion.indexOf('/'))

/**
 * Validates a new or changed policy: its schema, its rules (by compiling them), and the fields that must not change.
 * Also validates writes to an ArmorProfile or to a model's status. Allows objects of other kinds.
 */
export async function validate(request: ValidateRequest, options: ValidateOptions): Promise<Verdict> {
  const { kind, object, oldObject, operation, subResource = '' } = request
  const { profileWriters } = options
  if (kind.group === group && isManagers(kind.kind, subResource) && profileWriters !== undefined) {
    const errors = profileErrors(request, profileWriters)
    return { errors, count: errors.length, warnings: [] }
  }
  const isPolicy = kind.group === group && policyKinds.some((name) => name === kind.kind)
  if (!isPolicy || subResource !== '' || object === null || !['CREATE', 'UPDATE'].includes(operation)) return allowed
  // A stored spec may be invalid. Still allow users to change metadata, and to remove finalizers from a policy that is
  // being deleted.
  if (object.metadata?.deletionTimestamp !== undefined) return allowed
  if (operation === 'UPDATE' && isDeepStrictEqual(fieldOf(object, 'spec'), fieldOf(oldObject, 'spec'))) return allowed

  const full = operation === 'CREATE' ? roomErrors(request, options) : []
  if (full.length > 0) return { errors: full, count: full.length, warnings: [] }
  const before = operation === 'UPDATE' ? (oldObject ?? undefined) : undefined
  const { errors, count, skipped } = await options.judge(object, before, options.caller)
  const [missing, refused] = split(errors, ({ code }) => code === 'MISSING_MODEL')
  const off = modelingErrors(object, before, options)
  const all = [...refused, ...off]
  if (all.length > 0) return { errors: all, count: count - missing.length + off.length, warnings: [] }
  const models = missing.map(({ path, problem }) => `${path}: ${problem}`)
  return { errors: [], count: 0, warnings: [...shadows(object as AnyPolicy, options.index), ...models, ...skipped] }
}

/**
 * Refuses a new policy that exceeds the managers' memory limit. Otherwise managers would ignore the policy, and its
 * status would not say so.
 */
function roomErrors({ kind, namespace = '' }: ValidateRequest, { takesMore }: ValidateOptions): FieldError[] {
  if (kind.kind !== 'VarmorPolicy' || takesMore?.(namespace) !== false) return []
  const problem =
    'the VarmorPolicies of this namespace, or of all namespaces, reach the memory limit of the managers; delete some VarmorPolicies, or give the managers more memory'
  return [{ code: 'TOO_LARGE', path: 'metadata.namespace', given: namespace, problem }]
}

/** Whether only managers may write this object. */
const isManagers = (kind: string, subResource: string): boolean =>
  kind === 'ArmorProfile' || (kind === 'ArmorProfileModel' && subResource === 'status')

function modelingErrors(
  object: object,
  before: object | undefined,
  { behaviorModeling }: ValidateOptions,
): FieldError[] {
  const mode = modeOf(object)
  if (behaviorModeling || mode !== 'BehaviorModeling' || modeOf(before) === mode) return []
  const problem =
    'behaviour modelling is disabled; enable it with --enableBehaviorModeling (behaviorModeling.enabled), or choose another mode'
  return [{ code: 'NOT_ALLOWED', path: 'spec.policy.mode', given: mode, problem }]
}

function shadows(policy: AnyPolicy, index: PolicyIndex): string[] {
  const [first] = index.shadowing(policy)
  if (first !== undefined)
    return [
      `VarmorClusterPolicy ${first.name} selects the same workloads and has priority: this policy confines no workload`,
    ]
  return index
    .shadowingByMakers(policy)
    .slice(0, 1)
    .map(
      ({ name, targetKind }) =>
        `VarmorClusterPolicy ${name} has priority in pods that a ${targetKind} with these labels creates, for the enforcers of that cluster policy`,
    )
}

const modeOf = (object: unknown): unknown => fieldOf(fieldOf(fieldOf(object, 'spec'), 'policy'), 'mode')

function split<T>(all: readonly T[], is: (each: T) => boolean): [T[], T[]] {
  return [all.filter(is), all.filter((each) => !is(each))]
}
