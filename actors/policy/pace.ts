import type { ArmorProfile, ArmorProfileStatus, VarmorPolicyStatus } from '../../src/api/types.ts'
import type { PolicySettings } from './ports.ts'

/** How often a status was written recently. */
export interface Pace {
  /** Last write, in milliseconds since the epoch. */
  at: number
  /** Number of writes that nodes' reports about one generation caused, since the nodes were last quiet. */
  changes: number
}

/**
 * Kind of a status change. `better`: normal progress while nodes load the profile. `other`: a failure, or a changed
 * text. `none`: progress of a long process, which is rarely written anyway.
 */
export type News = 'other' | 'better' | 'none'

export const unwritten: Pace = { at: Number.NEGATIVE_INFINITY, changes: 0 }

type Status = ArmorProfileStatus | VarmorPolicyStatus

/**
 * The pace after a write. Nodes count as quiet if no write was needed for twice the longest interval.
 * @param now milliseconds since the epoch
 */
export function paceAfter(
  { at, changes }: Pace,
  before: Status | undefined,
  after: Status,
  news: News,
  now: number,
  { maxInterval }: PolicySettings,
): Pace {
  const goesOn = before?.observedGeneration === after.observedGeneration && now - at < 2 * maxInterval
  const known = goesOn ? changes : 0
  // Normal progress adds no delay; `spacing` already limits the watch traffic.
  const counts = news === 'other' || (news === 'better' && known <= FIRST)
  return { at: now, changes: counts ? known + 1 : known }
}

/** Number of changes without a delay: the first Ready, and a first failure. */
const FIRST = 2

export const isFirst = ({ changes }: Pace): boolean => changes <= FIRST

/**
 * Minimum milliseconds between two status writes. They double with each change: otherwise a node that lies or fails
 * repeatedly would cause constant writes.
 */
export const slowed = (interval: number, { changes }: Pace, { maxInterval }: PolicySettings): number =>
  Math.min(maxInterval, interval * 2 ** Math.max(0, changes - FIRST - 1))

/**
 * Minimum milliseconds between two writes of an ArmorProfile, because API servers send each write to all nodes.
 * @param least lower bound in milliseconds
 * @param sharing number of ArmorProfiles that share the limit for the watch traffic of all nodes
 */
export function spacing(
  profile: ArmorProfile,
  nodes: number,
  least: number,
  { maxInterval, watchBytesPerSecond }: PolicySettings,
  sharing = 1,
): number {
  const bytes = JSON.stringify(profile).length * nodes * Math.max(1, sharing)
  return Math.min(maxInterval, Math.max(least, (bytes / watchBytesPerSecond) * 1_000))
}
