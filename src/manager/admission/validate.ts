import { isDeepStrictEqual } from 'node:util'
import type { FieldError } from '../../api/field-error.ts'
import { apiVersion } from '../../api/schema/common.ts'
import type { AnyPolicy } from '../../api/types.ts'
import { policyKinds, validatePolicy, validatePolicyUpdate } from '../../api/validate.ts'
import type { AdmissionRequest } from '../../kube/admission.ts'
import { isRecord } from '../../kube/read-object.ts'
import { type CompileOptions, compilePolicy } from '../../profile/compile.ts'
import { coverageOf } from '../../profile/coverage.ts'
import type { PolicyIndex } from './policy-index.ts'

export interface ValidateOptions extends Pick<CompileOptions, 'appArmor' | 'installNamespace'> {
  /** Whether this installation can record models; without it the BehaviorModeling mode is refused. */
  behaviorModeling: boolean
  /** For the warning that a cluster policy comes first. */
  index: PolicyIndex
}

export type ValidateRequest = Pick<AdmissionRequest, 'kind' | 'operation' | 'subResource' | 'object' | 'oldObject'>

export interface Verdict {
  /** Empty: it is allowed. */
  errors: FieldError[]
  warnings: string[]
}

const allowed: Verdict = { errors: [], warnings: [] }
const group = apiVersion.slice(0, apiVersion.indexOf('/'))

/**
 * Everything that is wrong with a policy, and with changing it so: what the schema says, what the compilers of its enforcers
 * find, and what may not be changed. Objects of other kinds pass.
 */
export function validate(request: ValidateRequest, options: ValidateOptions): Verdict {
  const { kind, object, oldObject, operation, subResource = '' } = request
  const isPolicy = kind.group === group && policyKinds.some((name) => name === kind.kind)
  if (!isPolicy || subResource !== '' || object === null || !['CREATE', 'UPDATE'].includes(operation)) return allowed
  // What is on its way out must be able to lose its finalizers, and metadata can be changed, whatever the spec was stored as.
  if (object.metadata?.deletionTimestamp !== undefined) return allowed
  if (operation === 'UPDATE' && isDeepStrictEqual(field(object, 'spec'), field(oldObject, 'spec'))) return allowed

  const before = operation === 'UPDATE' ? (oldObject ?? undefined) : undefined
  const { errors, skipped } = judge(object, before, options)
  const [missing, refused] = split(errors, ({ code }) => code === 'MISSING_MODEL')
  const all = [...refused, ...modelingErrors(object, before, options)]
  if (all.length > 0) return { errors: all, warnings: [] }
  const models = missing.map(({ path, problem }) => `${path}: ${problem}`)
  return { errors: [], warnings: [...shadows(object as AnyPolicy, options.index), ...models, ...skipped] }
}

function judge(object: object, before: object | undefined, { appArmor, installNamespace }: ValidateOptions) {
  const names = installNamespace === undefined ? {} : { installNamespace }
  const errors = before === undefined ? validatePolicy(object, names) : validatePolicyUpdate(before, object, names)
  const compiled = compilePolicy(object, { ...names, ...(appArmor !== undefined && { appArmor }) })
  if (compiled.ok) {
    const skipped = compiled.skipped.map(
      ({ path, rule, enforcer, reason }) => `${path}: ${rule} (${enforcer}): ${reason}`,
    )
    const { nothing } = coverageOf((object as AnyPolicy).spec.policy, compiled.skipped)
    return { errors, skipped: [...(nothing === '' ? [] : [`NothingEnforced: ${nothing}`]), ...skipped] }
  }
  const known = new Set(errors.map(place))
  const further = compiled.errors.filter((error) => !known.has(place(error)))
  return { errors: [...errors, ...further], skipped: [] }
}

const place = ({ code, path, problem }: FieldError): string => `${path} ${code} ${problem}`

function modelingErrors(
  object: object,
  before: object | undefined,
  { behaviorModeling }: ValidateOptions,
): FieldError[] {
  const mode = modeOf(object)
  if (behaviorModeling || mode !== 'BehaviorModeling' || modeOf(before) === mode) return []
  const problem =
    'behaviour modelling is switched off; choose another mode, or install with behaviorModeling.enabled=true'
  return [{ code: 'NOT_ALLOWED', path: 'spec.policy.mode', given: mode, problem }]
}

function shadows(policy: AnyPolicy, index: PolicyIndex): string[] {
  const [first] = index.shadowing(policy)
  if (first === undefined) return []
  return [
    `VarmorClusterPolicy ${first.name} covers the same workloads and comes first: this policy confines none of them`,
  ]
}

const modeOf = (object: unknown): unknown => field(field(field(object, 'spec'), 'policy'), 'mode')

function field(object: unknown, name: string): unknown {
  return isRecord(object) && Object.hasOwn(object, name) ? object[name] : undefined
}

function split<T>(all: readonly T[], is: (each: T) => boolean): [T[], T[]] {
  return [all.filter(is), all.filter((each) => !is(each))]
}
