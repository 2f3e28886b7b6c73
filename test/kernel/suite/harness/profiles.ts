import { writeFileSync } from 'node:fs'
import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import type { PolicyIdentity } from '../../../../src/audit/enrich/snapshot.ts'
import { AppArmorLoader } from '../../../../src/enforcer/apparmor.ts'
import { type CompiledPolicy, type CompileOptions, compilePolicy } from '../../../../src/profile/compile.ts'
import { findRule } from '../../../../src/rules/catalogue.ts'
import type { RuleCategory } from '../../../../src/rules/meaning.ts'

/** How a policy treats violations: refuse and report, or only report. Each mode has a namespace with its name. */
export type Mode = 'enforced' | 'observed'

export const profileOf = (policy: string, mode: Mode): string => `varmor-${mode}-${policy}`

function ruleLists(rule: string): object {
  const category: RuleCategory | undefined = findRule(rule)?.category
  if (category === undefined) throw new Error(`no rule is called ${rule}`)
  if (category === 'attack-protection') return { attackProtectionRules: [{ rules: [rule] }] }
  return category === 'hardening' ? { hardeningRules: [rule] } : { vulMitigationRules: [rule] }
}

/** A policy in the mode EnhanceProtect that reports violations, and refuses or allows them. */
export function policyOf(name: string, mode: Mode, enhanceProtect: object, enforcer = 'AppArmor'): VarmorPolicy {
  const violations = { auditViolations: true, allowViolations: mode === 'observed' }
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name, namespace: mode },
    spec: {
      target: { kind: 'Deployment', name },
      policy: { enforcer, mode: 'EnhanceProtect', enhanceProtect: { ...violations, ...enhanceProtect } },
    },
  } as unknown as VarmorPolicy
}

/**
 * A policy of one built-in rule, named after the rule. Except for Seccomp it is `privileged`, so that only the rule
 * refuses the attack.
 */
export const policyOfRule = (rule: string, mode: Mode, enforcer: KernelEnforcer = 'AppArmor'): VarmorPolicy =>
  policyOf(rule, mode, { privileged: enforcer !== 'Seccomp', ...ruleLists(rule) }, enforcer)

export function compiled(policy: VarmorPolicy, options?: CompileOptions): CompiledPolicy {
  const result = compilePolicy(policy, options)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

export const identityOf = ({ metadata: { name, namespace = 'default' }, kind }: VarmorPolicy): PolicyIdentity => ({
  profileName: `varmor-${namespace}-${name}`,
  kind: kind as PolicyIdentity['kind'],
  name,
  namespace,
})

/**
 * Loads the AppArmor profiles of policies with the agent's loader, which compiles all profiles of a batch in one run.
 */
export async function loadAppArmor(policies: readonly VarmorPolicy[]): Promise<void> {
  const loader = new AppArmorLoader()
  await Promise.all(
    policies.map((policy) => {
      const { profileName, enforcers } = compiled(policy)
      if (enforcers.AppArmor === undefined) throw new Error(`no AppArmor profile for ${profileName}`)
      return loader.load(profileName, enforcers.AppArmor.profile)
    }),
  )
}

/**
 * Removes the policies' profiles from the kernel through the kernel's own interface. The loader would start a parser
 * for each profile, which takes a second here.
 */
export function unloadAppArmor(policies: readonly VarmorPolicy[]): void {
  for (const policy of policies)
    try {
      writeFileSync('/sys/kernel/security/apparmor/.remove', identityOf(policy).profileName)
    } catch (error) {
      // A successful attack has removed the profile.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
}
