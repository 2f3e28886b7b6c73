import { join } from '../../api/field-error.ts'
import type { LinuxSeccomp, Policy } from '../../api/types.ts'
import type { CompileContext } from '../context.ts'
import type { Result, Skipped } from '../result.ts'
import { defenseInDepthProfile } from './defense-in-depth.ts'
import { enhanceProtectProfile } from './enhance-protect.ts'
import { modelingProfile } from './modeling.ts'
import { ownProfile } from './own-profile.ts'
import { withReports } from './reports.ts'

/**
 * Compiles the seccomp part of `policy` at `path` to a profile of the OCI runtime specification (config-linux.md,
 * "Seccomp"). Equal input gives equal output. `skipped` names unsupported rules. Errors: UNKNOWN_RULE,
 * BAD_SECCOMP_RULE, MISSING_MODEL, REQUIRED.
 */
export function compileSeccomp(policy: Policy, path: string, context: CompileContext): Result<LinuxSeccomp> {
  switch (policy.mode) {
    case 'AlwaysAllow':
      return { ok: true, value: ownProfile('SCMP_ACT_ALLOW'), skipped: [] }
    case 'RuntimeDefault':
      return { ok: true, value: ownProfile('SCMP_ACT_ALLOW'), skipped: [standIn(join(path, 'mode'))] }
    case 'BehaviorModeling':
      return { ok: true, value: modelingProfile(context.modelingComplete ?? false), skipped: [] }
    case 'EnhanceProtect': {
      const at = join(path, 'enhanceProtect')
      if (policy.enhanceProtect === undefined) return required(at, policy.mode)
      const compiled = enhanceProtectProfile(policy.enhanceProtect, at)
      const { auditViolations = false } = policy.enhanceProtect
      return auditViolations ? withReports(compiled, join(at, 'auditViolations'), context.seccompReports) : compiled
    }
    case 'DefenseInDepth': {
      const at = join(join(path, 'defenseInDepth'), 'seccomp')
      const { seccomp, allowViolations = false } = policy.defenseInDepth ?? {}
      if (seccomp === undefined) return required(at, 'DefenseInDepth with the Seccomp enforcer')
      const compiled = defenseInDepthProfile(seccomp, allowViolations, at, context.model?.seccomp)
      // In this mode the other enforcers report refusals, so Seccomp does too.
      return allowViolations ? compiled : withReports(compiled, at, context.seccompReports)
    }
  }
}

function required(path: string, mode: string): Result<never> {
  return { ok: false, errors: [{ code: 'REQUIRED', path, problem: `the mode ${mode} needs this section` }] }
}

/**
 * In RuntimeDefault mode the webhook selects the runtime's own profile. But a pod's seccomp settings cannot change, so
 * containers from an earlier mode still load vArmor's profile when they restart.
 */
function standIn(path: string): Skipped {
  const reason =
    "the webhook gives containers the container runtime's default profile; this profile allows everything, and is only " +
    'for containers that started under another mode of the policy and still use it'
  return { enforcer: 'Seccomp', path, rule: 'RuntimeDefault', reason, extent: 'nothing' }
}
