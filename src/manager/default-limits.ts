/**
 * The default limits of a manager. Flags, benchmarks and the simulation use them, so that measurements match
 * production.
 */

/**
 * Requests per second to the API server: sustained, and burst. A policy takes six requests until it is Ready, so
 * upstream's 150 requests per second would delay a thousand policies. The limit of concurrent requests and the API
 * server's own priorities protect a busy API server.
 */
export const requestPace = { qps: 500, burst: 1_000 }

/** Seconds between two reports of an agent without changes. */
export const reportSeconds = 15

/**
 * Maximum reports per second of all agents together, and maximum seconds between two reports of an agent with changes.
 * While many policies change, every agent has changes to report, and each report costs a manager at least half a
 * millisecond.
 */
export const reportPace = { perSecond: 200, maxSpacing: 15 }

/**
 * In a very large cluster, agents without changes report less often, but at least twice before their node counts as
 * silent.
 */
const maxInterval = 22
const signsOfLifePerSecond = 400

/** @returns seconds between two reports of an agent without changes */
export const reportInterval = (asked: number, nodes: number): number =>
  Math.max(asked, Math.min(maxInterval, Math.round(nodes / signsOfLifePerSecond)))

/** Maximum report messages that wait for their actors. Beyond it, further reports must wait. */
export const waitingReports = 10_000

/**
 * Maximum messages that wait for the actors of models. Beyond it, nodes must wait before they send further pieces of
 * recordings. A piece has at most a mebibyte.
 */
export const waitingRecordings = 64

/** Limits of workload restarts. */
export interface RestartLimits {
  /** Restarts in progress: started, but not yet healthy. */
  inFlight: number
  inFlightPerNamespace: number
  /** Restarts that start in a minute. */
  perMinute: number
  perMinutePerNamespace: number
}

export const restartLimits: RestartLimits = {
  inFlight: 10,
  inFlightPerNamespace: 2,
  perMinute: 60,
  perMinutePerNamespace: 20,
}
