import type { EnhanceProtect } from '../../api/types.ts'

/**
 * What becomes of a violation, from `auditViolations` and `allowViolations`: refused silently, refused and reported,
 * let through and reported, or let through. AppArmor reports what a rule allows if the rule says `audit`, and what it
 * refuses unless the rule says `deny` without `audit`.
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

/** One rule that forbids `what`, or reports it: `audit deny network alg,`. Nothing when violations do not matter. */
export function forbid(verdict: Verdict, what: string): string[] {
  return verdict === 'ignore' ? [] : [`${qualifiers[verdict]} ${what},`]
}

/**
 * The letter of an exec permission: a rule that allows must also say how the new program is confined, as its parent.
 */
export function exec(verdict: Verdict): string {
  return verdict === 'observe' ? 'ix' : 'x'
}
