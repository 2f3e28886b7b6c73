import { allowed, audited, type Decision, denied, unknown } from '../operation.ts'
import type { ProfileRule } from './profile-rules.ts'

/** Whether a rule means an operation; `maybe` where that depends on what is not known of it. */
export type Matched = boolean | 'maybe'

/** Whether all hold. */
export function maybeAll(all: readonly Matched[]): Matched {
  if (all.includes(false)) return false
  return all.includes('maybe') ? 'maybe' : true
}

/** Why something is refused that no rule denies. */
export const NOT_ALLOWED = 'no rule allows it'

/**
 * What rules about one operation come to: one that denies counts more than one that allows, and what none allows is
 * refused.
 */
export function verdictOf(
  rules: readonly { rule: Pick<ProfileRule, 'deny' | 'audit' | 'text'>; matches: Matched }[],
): Decision {
  const [least, max] = [decide(rules, 'allow'), decide(rules, 'deny')]
  return least.outcome === max.outcome ? max : unknown('it depends on what the record does not say')
}

/** @param favour which rules count where it is not known whether they mean it */
function decide(
  rules: readonly { rule: Pick<ProfileRule, 'deny' | 'audit' | 'text'>; matches: Matched }[],
  favour: 'allow' | 'deny',
): Decision {
  const counts = (deny: boolean) =>
    rules.filter(({ rule, matches }) => {
      if (rule.deny !== deny) return false
      return matches === 'maybe' ? deny === (favour === 'deny') : matches
    })
  const [denying] = counts(true)
  if (denying !== undefined) return { ...denied, by: denying.rule.text }
  const allowing = counts(false)
  if (allowing.length === 0) return { outcome: 'denied', why: NOT_ALLOWED }
  return allowing.some(({ rule }) => rule.audit) ? audited : allowed
}
