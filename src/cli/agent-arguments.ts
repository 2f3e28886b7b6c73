import { dirname, join, parse } from 'node:path'
import type { LabelChoice } from '../agent/containers/pod-facts.ts'
import type { LogLimits } from '../agent/violations/violation-logs.ts'
import type { SourceRequest } from '../audit/source/choose-source.ts'
import type { MetricsListen } from '../metrics/metrics-server.ts'
import type { AgentArguments } from '../options/agent.ts'
import { bytesOfSize } from '../options/readers.ts'
import type { Metadata } from './metadata.ts'
import { metricsListen } from './metrics-arguments.ts'

export interface Checked {
  request: SourceRequest
  metadata: Metadata
}

/**
 * The checkpoint is stored in the folder of the log, because it describes the content of the log. So users keep or
 * remove both files together.
 */
const checkpointOf = (log: string): string => join(dirname(log), `${parse(log).name}.checkpoint.json`)

export function pipelineOf(given: AgentArguments) {
  const { log, checkpoint = checkpointOf(log), fromStart, workers, logUntrustedRecords } = given
  return {
    ...{ log, fromStart, logUntrusted: logUntrustedRecords },
    ...(checkpoint !== '' && checkpoint !== 'none' && { checkpoint }),
    ...(workers !== undefined && { workers }),
    limits: limitsOf(given),
  }
}

function limitsOf(given: AgentArguments): LogLimits {
  const { violationsMaxTotalSize: maxTotalSize, violationsRate: rate } = given
  return {
    maxSize: given.violationsMaxSize,
    maxFiles: given.violationsMaxFiles,
    compress: given.violationsCompress,
    ...(maxTotalSize !== undefined && { maxTotalSize }),
    ...(rate !== undefined && { rate }),
  }
}

/** Errors for options of the logs that contradict each other. */
export function logProblems({ violationsMaxSize: one, violationsMaxTotalSize: all }: AgentArguments): string[] {
  if (all === undefined || bytesOfSize(all) >= bytesOfSize(one)) return []
  return [
    `--violations-max-total-size ${all} is less than the ${one} of one file (--violations-max-size); give at least ${one}`,
  ]
}

/** The pod labels to add to violations: a list of keys, or all. */
export function podLabelsOf({ violationsPodLabels: given }: AgentArguments): { podLabels?: LabelChoice } {
  if (given === undefined) return {}
  const keys = given.split(',').map((key) => key.trim())
  return { podLabels: given.trim() === 'all' ? 'all' : keys.filter((key) => key !== '') }
}

/** How the agent serves metrics; empty if it does not. */
export function metricsOf(given: AgentArguments): { metrics?: MetricsListen } {
  const { enableMetrics, metricsHost } = given
  return enableMetrics
    ? { metrics: { ...metricsListen(given), ...(metricsHost !== undefined && { host: metricsHost }) } }
    : {}
}
