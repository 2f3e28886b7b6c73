import type { FieldError } from '../../src/api/field-error.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import { validatePolicyUpdate } from '../../src/api/validate.ts'
import type { AnyPolicy } from '../ports.ts'

/**
 * Changes that a policy may not make to the profile in force. Admission refuses them, but with failure policy Ignore
 * the API server may have skipped the webhook. `isRecording`: the behaviour modelling has not ended, so the mode must
 * stay.
 */
export function forbiddenChanges(policy: AnyPolicy, profile: ArmorProfile, isRecording: boolean): FieldError[] {
  const { target = policy.spec.target, profile: inForce } = profile.spec
  const now = withoutRules(policy)
  const rules = { ...now.spec.policy, enforcer: inForce.enforcer }
  const before = {
    ...now,
    spec: { ...now.spec, target, policy: isRecording ? { ...rules, mode: 'BehaviorModeling' } : rules },
    status: { profileName: inForce.name, ready: false, phase: isRecording ? 'Modeling' : 'Protecting' },
  }
  return validatePolicyUpdate(before, now).filter(({ code }) => code === 'IMMUTABLE')
}

/** Compare only these fields: rules may always change, and compilers check them. */
function withoutRules(policy: AnyPolicy): AnyPolicy {
  const { enforcer, mode, networkProxyConfig } = policy.spec.policy
  const rest = { enforcer, mode, ...(networkProxyConfig !== undefined && { networkProxyConfig }) }
  return { ...policy, spec: { ...policy.spec, policy: rest } }
}
