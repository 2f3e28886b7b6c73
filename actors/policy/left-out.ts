import { cutMessage, MAX_LEFT_OUT } from '../../src/api/agent-report.ts'
import type { NodesLeavingOut } from './aggregate.ts'
import { listing } from './listing.ts'

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

/** A message may name so much. */
export const LONGEST_PARTS = 1_024

/** Agents cut what they name. */
export const pairOf = ({ enforcer, rule }: { enforcer: string; rule: string }): string =>
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
      : [`left out on ${nodes.join(', ')}${more} by ${listing(own, ', by ', 20, LONGEST_PARTS)}`]
  })
}
