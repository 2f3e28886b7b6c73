import type { EnhanceProtect } from '../../api/types.ts'

/**
 * The reaction to a violation, from `auditViolations` and `allowViolations`. AppArmor reports an allowed access if the
 * rule says `audit`, and a refused access unless the rule says `deny` without `audit`.
 */
export type Verdict = 'deny' | 'deny-and-audit' | 'observe' | 'ignore'

export function verdictOf({ auditViolations = false, allowViolations = false }: EnhanceProtect): Verdict {
  if (allowViolations) return auditViolations ? 'observe' : 'ignore'
  return auditViolations ? 'deny-and-audit' : 'deny'
}

const qualifiers: Record<Exclude<Verdict, 'ignore'>, string> = {
  deny: 'deny',
  'deny-and-audit': 'audit deny',
  observe: 'audit',
}

/** A rule that refuses or reports `what`, such as `audit deny network alg,`; none for `ignore`. */
export function forbid(verdict: Verdict, what: string): string[] {
  return verdict === 'ignore' ? [] : [`${qualifiers[verdict]} ${what},`]
}

/** The exec permission. A rule that allows must also say that the program runs in the same profile. */
export function exec(verdict: Verdict): string {
  return verdict === 'observe' ? 'ix' : 'x'
}
