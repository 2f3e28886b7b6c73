import { enforcers } from '../../src/api/enforcer.ts'
import { coverageOf } from '../../src/profile/coverage.ts'
import type { Skipped } from '../../src/profile/result.ts'
import type { AnyPolicy } from '../ports.ts'
import { cut, listing } from './listing.ts'

/** What the enforcers of a policy leave out of it, in words for its status. */
export interface LeftOutText {
  /** Why none of the rules that it names is enforced; empty where one is. */
  nothing: string
  /** The parts that are left out, by enforcer; empty for none. */
  parts: string
  /** The same in a few words, for a column. */
  short: string
  /** All that compiling it had to say, with the reasons. */
  reasons: string
}

export const noneLeftOut: LeftOutText = { nothing: '', parts: '', short: '', reasons: '' }

/** A message may name so much, a column so much. */
const longest = { parts: 1_024, part: 80, short: 32 }
const MOST_SHORT = 2

export function leftOutOf({ spec }: AnyPolicy, skipped: readonly Skipped[]): LeftOutText {
  const { nothing, parts } = coverageOf(spec.policy, skipped)
  const byEnforcer = enforcers.flatMap((enforcer): { enforcer: string; rules: string[] }[] => {
    const rules = new Set(parts.filter((part) => part.enforcer === enforcer).map(({ rule }) => rule))
    return rules.size === 0 ? [] : [{ enforcer, rules: [...rules] }]
  })
  const reasons = skipped.map(
    ({ rule, enforcer, reason, path }) => `${rule} (${path}) is not enforced by ${enforcer}: ${reason}`,
  )
  return {
    nothing,
    parts: byEnforcer.map(({ enforcer, rules }) => `${enforcer}: ${namesOf(rules)}`).join('; '),
    short: byEnforcer.map(({ enforcer, rules }) => `${enforcer}: ${shortNames(rules)}`).join('; '),
    reasons: listing(reasons, '; ', 50),
  }
}

/** Room for all enforcers together. */
const namesOf = (rules: readonly string[]): string =>
  listing(
    rules.map((rule) => cut(rule, longest.part)),
    ', ',
    50,
    longest.parts / enforcers.length,
  )

function shortNames(rules: readonly string[]): string {
  const first = rules.slice(0, MOST_SHORT).map((rule) => cut(rule, longest.short))
  const rest = rules.length - first.length
  return [...first, ...(rest > 0 ? [`+${rest}`] : [])].join(', ')
}
