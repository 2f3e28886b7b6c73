import { isImpossible, type SyscallRestriction } from '../../rules/meaning.ts'
import type { Skipped } from '../result.ts'
import type { SelectedRule } from '../selected-rules.ts'
import { type Comparison, readComparison } from './comparison.ts'
import type { SyscallRule } from './syscall-rule.ts'
import type { Action } from './vocabulary.ts'

/** The policy's `auditViolations` and `allowViolations`. */
export type Violations = { audit: boolean; allow: boolean }

/** The system calls of a built-in rule, or why there are none. */
export function builtInRules(
  { rule, path, targets }: SelectedRule,
  violations: Violations,
): { rules: SyscallRule[]; skipped: Skipped[] } {
  const skip = (reason: string, extent: 'all' | 'nothing' = 'all') => ({
    rules: [],
    skipped: [{ enforcer: 'Seccomp' as const, path, rule: rule.name, reason, extent }],
  })
  if (isImpossible(rule.seccomp)) return skip(rule.seccomp.impossible)
  if (targets.length > 0) return skip('a seccomp filter applies to all programs of a container; targets need AppArmor')
  if (violations.allow && !violations.audit) {
    return skip('allowViolations without auditViolations: calls are neither refused nor logged', 'nothing')
  }
  const observed = rule.seccomp.filter(({ observe }) => !violations.allow || observe !== 'omit')
  if (observed.length === 0) return skip('its system calls are too frequent to log')
  const action = violations.allow ? 'SCMP_ACT_LOG' : 'SCMP_ACT_ERRNO'
  return { rules: observed.flatMap((restriction) => rulesOf(restriction, action, rule.name)), skipped: [] }
}

function rulesOf({ names, args = [], errno }: SyscallRestriction, action: Action, rule: string): SyscallRule[] {
  const when = args.map((argument) => {
    const comparison = readComparison(argument)
    if (comparison === 'never') throw new Error(`${rule}: a comparison is never true`)
    return comparison
  })
  if (new Set(when.map(({ index }) => index)).size < when.length)
    throw new Error(`${rule}: an argument is compared twice`)
  const withErrno = errno === undefined || action !== 'SCMP_ACT_ERRNO' ? {} : { errno }
  return names.map((name) => ({ name, action, when: when as readonly Comparison[], ...withErrno }))
}
