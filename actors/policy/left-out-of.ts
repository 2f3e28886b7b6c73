import { enforcers } from '../../src/api/enforcer.ts'
import { coverageOf } from '../../src/profile/coverage.ts'
import type { Skipped } from '../../src/profile/result.ts'
import type { AnyPolicy } from '../ports.ts'
import { type LeftOutText, MAX_PARTS, pairOf } from './left-out.ts'
import { cut, listing } from './listing.ts'

/** Maximum characters of a rule in a message and in a column. */
const max = { part: 80, short: 32 }
const MAX_SHORT = 2

/**
 * Describes the rules that the compilation of a policy skipped. Runs on compilers' threads: it needs the meaning of all
 * built-in rules.
 */
export function leftOutOf({ spec }: AnyPolicy, skipped: readonly Skipped[]): LeftOutText {
  const { nothing, parts, newer } = coverageOf(spec.policy, skipped)
  const onAllNodes = skipped.filter(({ byNode }) => byNode !== true)
  const byEnforcer = enforcers.flatMap((enforcer): { enforcer: string; rules: string[] }[] => {
    const rules = new Set(parts.filter((part) => part.enforcer === enforcer).map(({ rule }) => rule))
    return rules.size === 0 ? [] : [{ enforcer, rules: [...rules] }]
  })
  const reasons = onAllNodes.map(
    ({ rule, enforcer, reason, path }) => `${rule} (${path}) is not enforced by ${enforcer}: ${reason}`,
  )
  return {
    nothing,
    parts: byEnforcer.map(({ enforcer, rules }) => `${enforcer}: ${namesOf(rules)}`).join('; '),
    short: byEnforcer.map(({ enforcer, rules }) => `${enforcer}: ${shortNames(rules)}`).join('; '),
    pairs: [...new Set(onAllNodes.map(pairOf))].sort(),
    newer: newer && { pairs: [...new Set(newer.skipped.map(pairOf))], nothing: newer.nothing },
    reasons: listing(reasons, '; ', 50),
  }
}

/** Names rules until the limit for all enforcers together is reached. */
const namesOf = (rules: readonly string[]): string =>
  listing(
    rules.map((rule) => cut(rule, max.part)),
    ', ',
    50,
    MAX_PARTS / enforcers.length,
  )

function shortNames(rules: readonly string[]): string {
  const first = rules.slice(0, MAX_SHORT).map((rule) => cut(rule, max.short))
  const rest = rules.length - first.length
  return [...first, ...(rest > 0 ? [`+${rest}`] : [])].join(', ')
}
