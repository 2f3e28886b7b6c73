import { join } from '../../api/field-error.ts'
import type { Policy } from '../../api/types.ts'
import type { CompileContext } from '../context.ts'
import type { Result } from '../result.ts'
import { alwaysAllow, runtimeDefault } from './base-rules.ts'
import { compileDefenseInDepth } from './defense-in-depth.ts'
import { compileEnhanceProtect } from './enhance-protect.ts'
import { profileText, type Section } from './profile-text.ts'

function plain(mode: string, context: CompileContext, sections: readonly Section[], complain = false): Result<string> {
  const about = [`${context.profileName}: written by vArmor; changes made here are lost.`, mode]
  const block = { name: context.profileName, complain, sections, children: [] }
  return { ok: true, value: profileText(about, '3.0', block), skipped: [] }
}

/**
 * Compiles the AppArmor part of `policy` at `path` to a profile for apparmor_parser. Equal input gives equal bytes, so
 * callers compare them to decide about a reload. `skipped` names the rules that the node's AppArmor does not support.
 * docs/design/compilers.md lists the limits of AppArmor.
 */
export function compileAppArmor(policy: Policy, path: string, context: CompileContext): Result<string> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(context.profileName))
    throw new Error(`bad profile name: ${context.profileName}`)
  switch (policy.mode) {
    case 'AlwaysAllow':
      return plain('AlwaysAllow: nothing is refused.', context, alwaysAllow(context.appArmor, '3.0'))
    case 'RuntimeDefault': {
      const family = { name: context.profileName, children: [] }
      const sections = runtimeDefault(family, 'deny', context.appArmor, '3.0')
      return plain("RuntimeDefault: equal in effect to containerd's default profile.", context, sections)
    }
    case 'EnhanceProtect':
      if (policy.enhanceProtect === undefined) return missing(path, 'enhanceProtect', policy.mode)
      return compileEnhanceProtect(policy.enhanceProtect, join(path, 'enhanceProtect'), context)
    case 'BehaviorModeling':
      return modeling(context)
    case 'DefenseInDepth':
      if (policy.defenseInDepth === undefined) return missing(path, 'defenseInDepth', policy.mode)
      return compileDefenseInDepth(policy.defenseInDepth, join(path, 'defenseInDepth'), context)
  }
}

function missing(path: string, section: string, mode: string): Result<string> {
  return {
    ok: false,
    errors: [{ code: 'REQUIRED', path: join(path, section), problem: `the mode ${mode} needs this section` }],
  }
}

/** An empty profile in complain mode: the kernel reports every access, and modeling collects the reports. */
function modeling(context: CompileContext): Result<string> {
  if (context.modelingComplete) {
    const mode = 'BehaviorModeling, completed: nothing is refused or reported.'
    return plain(mode, context, alwaysAllow(context.appArmor, '3.0'))
  }
  return plain('BehaviorModeling: nothing is refused, everything is reported.', context, [], true)
}
