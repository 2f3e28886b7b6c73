import type { DefenseInDepth, EnhanceProtect, Policy } from '../../../src/api/types.ts'
import { compileAppArmor } from '../../../src/profile/apparmor/compile-apparmor.ts'
import { type CompileContext, oldestAppArmor } from '../../../src/profile/context.ts'
import { type LoadedProfile, load } from './loaded-profile.ts'

export const PATH = 'spec.policy'

export function context(more: Partial<CompileContext> = {}): CompileContext {
  return { profileName: 'varmor-demo-web', appArmor: oldestAppArmor, ...more }
}

/** A current node: apparmor_parser 4.1 and Linux 6.12. */
export const newAppArmor = { parser: [4, 1] as [number, number], userns: true, ioUring: true, mqueue: true }

export function enhance(enhanceProtect: EnhanceProtect): Policy {
  return { enforcer: 'AppArmor', mode: 'EnhanceProtect', enhanceProtect }
}

export function defend(defenseInDepth: DefenseInDepth): Policy {
  return { enforcer: 'AppArmor', mode: 'DefenseInDepth', defenseInDepth }
}

export function compiled(policy: Policy, more: Partial<CompileContext> = {}): string {
  const result = compileAppArmor(policy, PATH, context(more))
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

export function errorsOf(policy: Policy, more: Partial<CompileContext> = {}) {
  const result = compileAppArmor(policy, PATH, context(more))
  return result.ok ? [] : result.errors
}

export function skippedOf(policy: Policy, more: Partial<CompileContext> = {}) {
  const result = compileAppArmor(policy, PATH, context(more))
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.skipped
}

/** The profile that the kernel would load for the policy, or the child profile with this name. */
export function loaded(policy: Policy, child?: string): LoadedProfile {
  const name = child === undefined ? 'varmor-demo-web' : `varmor-demo-web//${child}`
  const profile = load(compiled(policy)).get(name)
  if (profile === undefined) throw new Error(`no profile ${name}`)
  return profile
}
