import type { ArmorProfile, ArmorProfileStatus, VarmorPolicyStatus } from '../../src/api/types.ts'
import type { PolicySettings } from './ports.ts'

/** How often one status was written lately. */
export interface Pace {
  /** When it was written last, in milliseconds since the epoch. */
  at: number
  /** How often what nodes say of one generation has changed in it since they were quiet. */
  changes: number
}

/**
 * `better` is what comes of itself where nodes join: one has not loaded the profile yet, and then all have. `other`: something went
 * wrong, or is said in other words. `none`: what may go on for long, and is written seldom enough.
 */
export type News = 'other' | 'better' | 'none'

export const unwritten: Pace = { at: Number.NEGATIVE_INFINITY, changes: 0 }

type Status = ArmorProfileStatus | VarmorPolicyStatus

/**
 * The pace after a write. Nodes are quiet when nothing was written for twice the longest interval.
 * @param now milliseconds since the epoch
 */
export function paceAfter(
  { at, changes }: Pace,
  before: Status | undefined,
  after: Status,
  news: News,
  now: number,
  { longestInterval }: PolicySettings,
): Pace {
  const goesOn = before?.observedGeneration === after.observedGeneration && now - at < 2 * longestInterval
  const known = goesOn ? changes : 0
  // What is better slows nothing down by itself, and fills watches no more than spacing allows.
  const counts = news === 'other' || (news === 'better' && known <= FIRST)
  return { at: now, changes: counts ? known + 1 : known }
}

/** Changes that are not slowed down: a first Ready, and a first failure. */
const FIRST = 2

export const isFirst = ({ changes }: Pace): boolean => changes <= FIRST

/**
 * Milliseconds that a status stays before the next change is written. The time doubles with each: one node that lies, or that fails now
 * and then, would have all of them written all the time.
 */
export const slowed = (interval: number, { changes }: Pace, { longestInterval }: PolicySettings): number =>
  Math.min(longestInterval, interval * 2 ** Math.max(0, changes - FIRST - 1))

/**
 * Milliseconds between two writes of an ArmorProfile: each goes to every node, by the API servers.
 * @param least milliseconds
 * @param sharing ArmorProfiles that share what the watches of all nodes may carry
 */
export function spacing(
  profile: ArmorProfile,
  nodes: number,
  least: number,
  { longestInterval, watchBytesPerSecond }: PolicySettings,
  sharing = 1,
): number {
  const bytes = JSON.stringify(profile).length * nodes * Math.max(1, sharing)
  return Math.min(longestInterval, Math.max(least, (bytes / watchBytesPerSecond) * 1_000))
}
