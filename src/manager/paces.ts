/**
 * How fast a manager works unless its flags say otherwise. Flags, benches and simulation take these too, so that what is measured is
 * what runs.
 */

/**
 * Requests a second to the API server, in the long run and at once. A policy takes six requests until it is Ready. Upstream's 150 a
 * second would make a thousand of them wait; a server that has other work is spared by the limit of requests under way, and by its
 * own priorities.
 */
export const requestPace = { qps: 500, burst: 1_000 }

/** Seconds between two reports of an agent that has nothing new to say. */
export const reportSeconds = 15

/**
 * Reports a second that all agents together may send, and the longest time between two of one, in seconds. While many policies change,
 * every agent has something new all the time, and a report costs a manager half a millisecond, however little is in it.
 */
export const reportPace = { perSecond: 200, longestSpacing: 15 }

/** Where there are so many nodes that their signs of life alone would be work, each comes less often, though twice before a node is called silent. */
const longestInterval = 22
const signsOfLifePerSecond = 400

/** @returns seconds between two reports of an agent that has nothing new to say */
export const reportInterval = (asked: number, nodes: number): number =>
  Math.max(asked, Math.min(longestInterval, Math.round(nodes / signsOfLifePerSecond)))

/** Messages of reports that may wait for their actors before further reports have to. */
export const waitingReports = 10_000

/** Messages that may wait for the actors of models before nodes have to with further pieces of recordings, each a mebibyte at most. */
export const waitingRecordings = 64

/** How many workloads may be restarted. */
export interface RestartLimits {
  /** At the same time: begun, and not all well yet. */
  inFlight: number
  inFlightPerNamespace: number
  /** Begun in a minute. */
  perMinute: number
  perMinutePerNamespace: number
}

export const restartLimits: RestartLimits = {
  inFlight: 10,
  inFlightPerNamespace: 2,
  perMinute: 60,
  perMinutePerNamespace: 20,
}
