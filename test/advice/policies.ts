import { type EnforcerJudge, judgesOf } from '../../src/advice/judges.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { EnhanceProtect, Policy, VarmorPolicy } from '../../src/api/types.ts'
import { type CompiledPolicy, type CompileOptions, compilePolicy } from '../../src/profile/compile.ts'
import type { Rule } from '../../src/rules/meaning.ts'

/** A policy of the namespace demo. */
export const policyOf = (policy: Partial<Policy>): VarmorPolicy => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'web', namespace: 'demo' },
  spec: {
    target: { kind: 'Deployment', name: 'web' },
    policy: { enforcer: 'AppArmorBPFSeccomp', mode: 'AlwaysAllow', ...policy },
  },
})

export const enhanced = (enhanceProtect: EnhanceProtect, enforcer = 'AppArmorBPFSeccomp'): VarmorPolicy =>
  policyOf({ enforcer, mode: 'EnhanceProtect', enhanceProtect })

export function compiledOf(policy: VarmorPolicy, options: CompileOptions = {}): CompiledPolicy {
  const result = compilePolicy(policy, options)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

export function judgeOf(
  policy: VarmorPolicy,
  enforcer: KernelEnforcer,
  options?: CompileOptions,
): EnforcerJudge['judge'] {
  const found = judgesOf(compiledOf(policy, options)).find((one) => one.enforcer === enforcer)
  if (found === undefined) throw new Error(`no ${enforcer}`)
  return found.judge
}

/** The section of a policy that contains this built-in rule. */
export function asking({ name, category }: Pick<Rule, 'name' | 'category'>): EnhanceProtect {
  if (category === 'hardening') return { hardeningRules: [name] }
  return category === 'attack-protection'
    ? { attackProtectionRules: [{ rules: [name] }] }
    : { vulMitigationRules: [name] }
}
