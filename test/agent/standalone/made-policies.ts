import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { HeldPolicy } from '../../../src/agent/standalone/policy-set.ts'
import type { AnyPolicy } from '../../../src/api/types.ts'

export interface PolicyWishes {
  kind?: AnyPolicy['kind']
  namespace?: string
  enforcer?: string
  target?: object
  rules?: string[]
}

/** A policy in the form that a user writes. */
export function policyObject(name: string, wishes: PolicyWishes = {}): object {
  const { kind = 'VarmorPolicy', namespace, enforcer = 'BPF', rules = ['disallow-mount'] } = wishes
  const { target = { kind: 'Pod', name } } = wishes
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    spec: { target, policy: { enforcer, mode: 'EnhanceProtect', enhanceProtect: { hardeningRules: rules } } },
  }
}

/** The same policy in the form that the agent holds. */
export function held(file: string, name: string, wishes: PolicyWishes = {}): HeldPolicy {
  const namespace = wishes.kind === 'VarmorClusterPolicy' ? {} : { namespace: wishes.namespace ?? 'default' }
  const policy = policyObject(name, { ...wishes, ...namespace }) as AnyPolicy
  const desired = desiredProfile(policy, { installNamespace: 'varmor', modeling: { state: 'none' } })
  if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
  return { file, document: desired.document }
}
