import { cutMessage, MAX_LEFT_OUT } from '../../src/api/agent-report.ts'
import { enforcers } from '../../src/api/enforcer.ts'
import { coverageOf } from '../../src/profile/coverage.ts'
import type { Skipped } from '../../src/profile/result.ts'
import type { AnyPolicy } from '../ports.ts'
import type { NodesLeavingOut } from './aggregate.ts'
import { cut, listing } from './listing.ts'

/** What the enforcers of a policy leave out of it, in words for its status. */
export interface LeftOutText {
  /** Why none of the rules that it names is enforced; empty where one is. */
  nothing: string
  /** The parts that are left out, by enforcer; empty for none. */
  parts: string
  /** The same in a few words, for a column. */
  short: string
  /** Enforcers and rules that are left out on all nodes: see `leftOutKey`. */
  pairs: readonly string[]
  /** What a node leaves out that enforces none of the rules, where that is for its AppArmor to say; and why, in words. */
  newer: { pairs: readonly string[]; nothing: string } | undefined
  /** All that compiling it had to say, with the reasons. */
  reasons: string
}

export const noneLeftOut: LeftOutText = {
  nothing: '',
  parts: '',
  short: '',
  pairs: [],
  newer: undefined,
  reasons: '',
}

/** A message may name so much, a column so much. */
const longest = { parts: 1_024, part: 80, short: 32 }
const MOST_SHORT = 2

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

/** Agents cut what they name. */
const pairOf = ({ enforcer, rule }: { enforcer: string; rule: string }): string =>
  `${enforcer}: ${cutMessage(rule, MAX_LEFT_OUT.rule)}`

/** What a node leaves out, as one text: pairs of enforcer and rule, one a line. Equal for equal lists; empty for none. */
export const leftOutKey = (leftOut: readonly { enforcer: string; rule: string }[]): string =>
  [...new Set(leftOut.map(pairOf))].sort().join('\n')

/** Why none of the rules is enforced, on any node; empty where one is, or no node has the profile. */
export function nothingOnNodes(
  { nothing, newer }: LeftOutText,
  groups: readonly NodesLeavingOut[],
  loaded: number,
): string {
  if (nothing !== '' || newer === undefined || loaded === 0) return nothing
  const barren = groups.filter(({ leftOut }) => {
    const left = new Set(leftOut.split('\n'))
    return newer.pairs.every((pair) => left.has(pair))
  })
  return barren.reduce((sum, { count }) => sum + count, 0) === loaded ? newer.nothing : ''
}

/** What nodes leave out beyond what the policy leaves out everywhere, in words. */
export function nodesLeftOutTexts(groups: readonly NodesLeavingOut[], everywhere: readonly string[]): string[] {
  return groups.flatMap(({ leftOut, nodes, count }) => {
    const own = leftOut.split('\n').filter((pair) => !everywhere.includes(pair))
    const more = count > nodes.length ? ` and ${count - nodes.length} more` : ''
    return own.length === 0
      ? []
      : [`left out on ${nodes.join(', ')}${more} by ${listing(own, ', by ', 20, longest.parts)}`]
  })
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
