import { cutMessage, MAX_LEFT_OUT } from '../../src/api/agent-report.ts'
import type { NodesLeavingOut } from './aggregate.ts'
import { listing } from './listing.ts'

/** Describes the rules that a policy's enforcers leave out, for its status. */
export interface LeftOutText {
  /** Why no named rule is enforced; empty if any rule is enforced. */
  nothing: string
  /** The left-out rules, by enforcer; empty if there are none. */
  parts: string
  /** The same text shortened for a column. */
  short: string
  /** Enforcers and rules that all nodes leave out: see `leftOutKey`. */
  pairs: readonly string[]
  /**
   * Set if only a newer AppArmor enforces the named rules: these rules, and why a node that leaves all of them out
   * enforces nothing.
   */
  newer: { pairs: readonly string[]; nothing: string } | undefined
  /** All messages of the compilation, with their reasons. */
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

/** Maximum length in a message. */
export const MAX_PARTS = 1_024

/** Cuts a rule name to the same length as agents do, so that equal rules give equal texts. */
export const pairOf = ({ enforcer, rule }: { enforcer: string; rule: string }): string =>
  `${enforcer}: ${cutMessage(rule, MAX_LEFT_OUT.rule)}`

/**
 * A node's left-out rules as one text, one line for each pair of enforcer and rule. Equal lists give equal texts; an
 * empty list gives an empty text.
 */
export const leftOutKey = (leftOut: readonly { enforcer: string; rule: string }[]): string =>
  [...new Set(leftOut.map(pairOf))].sort().join('\n')

/** Why no node enforces any of the rules; empty if a node does, or if no node has loaded the profile. */
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

/** Describes what nodes leave out in addition to what all nodes leave out. */
export function nodesLeftOutTexts(groups: readonly NodesLeavingOut[], everywhere: readonly string[]): string[] {
  return groups.flatMap(({ leftOut, nodes, count }) => {
    const own = leftOut.split('\n').filter((pair) => !everywhere.includes(pair))
    const more = count > nodes.length ? ` and ${count - nodes.length} more` : ''
    return own.length === 0 ? [] : [`left out on ${nodes.join(', ')}${more} by ${listing(own, ', by ', 20, MAX_PARTS)}`]
  })
}
