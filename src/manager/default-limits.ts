/**
 * A manager's rates, unless its flags change them. Flags, benches and simulation use these, so that measurements match
 * production.
 */

/**
 * Requests per second to the API server: sustained, and burst. A policy takes six requests until it is Ready. With
 * upstream's 150 a second, a thousand of them would wait; a busy server is protected by the limit of concurrent
 * requests and by its own priorities.
 */
export const requestPace = { qps: 500, burst: 1_000 }

/** Seconds between two reports of an agent without news. */
export const reportSeconds = 15

/**
 * Maximum reports per second of all agents together, and the longest time between two reports of one, in seconds. While
 * many policies change, every agent has news all the time, and even a small report costs a manager half a millisecond.
 */
export const reportPace = { perSecond: 200, maxSpacing: 15 }

/** In a very large cluster each agent sends fewer signs of life, but at least two before its node counts as silent. */
const maxInterval = 22
const signsOfLifePerSecond = 400

/** @returns seconds between two reports of an agent without news */
export const reportInterval = (asked: number, nodes: number): number =>
  Math.max(asked, Math.min(maxInterval, Math.round(nodes / signsOfLifePerSecond)))

/** Report messages that may wait for their actors before further reports must wait. */
export const waitingReports = 10_000

/**
 * Messages that may wait for models' actors before nodes must wait with further pieces of recordings, each at most a
 * mebibyte.
 */
export const waitingRecordings = 64

/** Limits of workload restarts. */
export interface RestartLimits {
  /** In progress: started, and not yet healthy. */
  inFlight: number
  inFlightPerNamespace: number
  /** Started in a minute. */
  perMinute: number
  perMinutePerNamespace: number
}

export const restartLimits: RestartLimits = {
  inFlight: 10,
  inFlightPerNamespace: 2,
  perMinute: 60,
  perMinutePerNamespace: 20,
}
