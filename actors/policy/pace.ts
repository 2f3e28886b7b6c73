import type { ArmorProfile, ArmorProfileStatus, VarmorPolicyStatus } from '../../src/api/types.ts'
import type { PolicySettings } from './ports.ts'

/** How often a status was written recently. */
export interface Pace {
  /** Last write, in milliseconds since the epoch. */
  at: number
  /** Number of writes caused by nodes' reports of one generation, since the nodes were last quiet. */
  changes: number
}

/**
 * `better`: normal progress as nodes load the profile. `other`: a failure, or a changed text. `none`: a long process
 * that is rarely written anyway.
 */
export type News = 'other' | 'better' | 'none'

export const unwritten: Pace = { at: Number.NEGATIVE_INFINITY, changes: 0 }

type Status = ArmorProfileStatus | VarmorPolicyStatus

/**
 * The pace after a write. Nodes are quiet after twice the longest interval without a write.
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
  // Progress alone adds no delay; `spacing` already limits what watches carry.
  const counts = news === 'other' || (news === 'better' && known <= FIRST)
  return { at: now, changes: counts ? known + 1 : known }
}

/** Number of changes without a delay: a first Ready, and a first failure. */
const FIRST = 2

export const isFirst = ({ changes }: Pace): boolean => changes <= FIRST

/**
 * Milliseconds between a status write and the next. It doubles with each change: a node that lies or fails repeatedly
 * would otherwise cause constant writes.
 */
export const slowed = (interval: number, { changes }: Pace, { maxInterval }: PolicySettings): number =>
  Math.min(maxInterval, interval * 2 ** Math.max(0, changes - FIRST - 1))

/**
 * Milliseconds between two writes of an ArmorProfile: API servers send each write to all nodes.
 * @param least milliseconds
 * @param sharing number of ArmorProfiles that share the limit for the watches of all nodes
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
