import { CompilerError, type Compilers } from '../../../actors/compiler/ports.ts'
import type { ProfileDocument } from '../../../actors/ports.ts'
import type { FieldError } from '../../api/field-error.ts'
import type { AnyPolicy } from '../../api/types.ts'
import { fieldOf, isObject } from '../../api/validate-schema.ts'

/**
 * The result of checking a policy: its ArmorProfile, with the parts that enforcers cannot enforce; or all its errors.
 */
export type Judged =
  | { document: ProfileDocument; notes: readonly string[] }
  /** `passing`: whether the same policy may be valid later. */
  | { errors: readonly FieldError[]; passing?: boolean }

/** Checks are not urgent, because no client waits for the answer. */
const job = (tenant: string, subject: unknown) => ({ tenant, urgent: false, subject })

/**
 * Checks a policy like the webhook for admission. Also checks that the policy needs no cluster: a node alone has
 * containers, but no other workloads and no manager.
 * @param value any parsed value
 */
export async function judgeStandalone(value: unknown, compilers: Compilers, namespace: string): Promise<Judged> {
  const policy = withNamespace(value)
  const tenant = String(read(policy, 'metadata', 'namespace') ?? '')
  try {
    const installation = { installNamespace: namespace, egressControl: { pods: false, services: false } }
    const judgement = await compilers.run('judgePolicy', [policy, undefined, installation], job(tenant, policy))
    const errors = [...judgement.errors, ...standaloneErrors(policy)]
    if (errors.length > 0) return { errors }
    const options = { ...installation, modeling: { state: 'none' } } as const
    const desired = await compilers.run('desiredProfile', [policy as AnyPolicy, options], job(tenant, policy))
    return desired.ok ? { document: desired.document, notes: judgement.skipped } : { errors: desired.errors }
  } catch (error) {
    if (!(error instanceof CompilerError)) throw error
    return { errors: [{ code: 'TOO_COSTLY', path: 'spec.policy', problem: error.message }], passing: true }
  }
}

/** Adds the namespace `default` if the object has none, as kubectl does. */
function withNamespace(value: unknown): unknown {
  if (!isObject(value) || value['kind'] !== 'VarmorPolicy' || !isObject(value['metadata'])) return value
  const { namespace = 'default', ...metadata } = value['metadata']
  return { ...value, metadata: { ...metadata, namespace } }
}

const read = (value: unknown, ...path: string[]): unknown =>
  path.reduce((at, name) => (isObject(at) ? fieldOf(at, name) : undefined), value)

const named = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

/** Errors that the API server would find in a cluster, and errors about features that need a cluster. */
function standaloneErrors(policy: unknown): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['name', ...(read(policy, 'kind') === 'VarmorPolicy' ? ['namespace'] : [])]) {
    const given = read(policy, 'metadata', field)
    if (typeof given === 'string' && named.test(given)) continue
    const problem = 'must consist of lower case letters, digits, - and ., with a letter or digit at both ends'
    errors.push({ code: 'NOT_ALLOWED', path: `metadata.${field}`, given, problem })
  }
  const kind = read(policy, 'spec', 'target', 'kind')
  if (typeof kind === 'string' && kind !== 'Pod') {
    const problem = 'without Kubernetes, only containers exist; such workloads do not'
    errors.push({ code: 'NOT_ALLOWED', path: 'spec.target.kind', given: kind, problem, allowed: 'Pod' })
  }
  const mode = read(policy, 'spec', 'policy', 'mode')
  if (mode === 'BehaviorModeling') {
    const problem = 'behaviour is recorded only in a cluster; choose another mode'
    errors.push({ code: 'NOT_ALLOWED', path: 'spec.policy.mode', given: mode, problem })
  }
  return errors
}
