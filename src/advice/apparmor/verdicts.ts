import { allowed, audited, type Decision, denied, unknown } from '../operation.ts'
import type { ProfileRule } from './profile-rules.ts'

/** Whether a rule matches an operation; `maybe` if that depends on unknown facts about the operation. */
export type Matched = boolean | 'maybe'

/** Combines conditions: true if all match, false if one does not match, otherwise `maybe`. */
export function maybeAll(all: readonly Matched[]): Matched {
  if (all.includes(false)) return false
  return all.includes('maybe') ? 'maybe' : true
}

/** The reason for the refusal of an operation that no rule denies. */
export const NOT_ALLOWED = 'no rule allows it'

/**
 * The decision of the rules about one operation: a rule that denies takes precedence, and an operation that no rule
 * allows is refused.
 */
export function verdictOf(
  rules: readonly { rule: Pick<ProfileRule, 'deny' | 'audit' | 'text'>; matches: Matched }[],
): Decision {
  const [least, max] = [decide(rules, 'allow'), decide(rules, 'deny')]
  return least.outcome === max.outcome ? max : unknown('it depends on details that the record does not contain')
}

/** @param favour the kind of rules for which `maybe` counts as a match */
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
