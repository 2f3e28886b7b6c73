import { dirname, join, parse } from 'node:path'
import type { SourceRequest } from '../audit/source/choose-source.ts'
import type { MetricsListen } from '../metrics/metrics-server.ts'
import type { Metadata } from './metadata.ts'
import { type MetricsArguments, metricsListen } from './metrics-arguments.ts'
import type { LogFormat } from './role-logger.ts'

export interface AgentArguments extends MetricsArguments {
  auditOnly: boolean
  containers?: string
  auditSource?: string
  auditLogPaths?: string
  log: string
  nodeName?: string
  metadata?: string
  checkpoint?: string
  fromStart: boolean
  workers?: number
  logUntrustedRecords: boolean
  statusEvery?: number
  logFormat?: LogFormat
  verbosity: number
  kubeconfig?: string
  context?: string
  namespace?: string
  manager: string[]
  managerCa?: string
  managerName?: string
  tokenFile: string
  seccompDir: string
  apparmorDir: string
  containerd: string
  readinessPort?: number
  readinessHost?: string
  strictReadiness: boolean
  metricsHost?: string
  unloadAllAaProfiles: boolean
  removeAllSeccompProfiles: boolean
}

export interface Checked {
  request: SourceRequest
  metadata: Metadata
}

/** Beside the log, because it says what is in it: whoever removes one or keeps one means the other, too. */
const checkpointOf = (log: string): string => join(dirname(log), `${parse(log).name}.checkpoint.json`)

export function pipelineOf(given: AgentArguments) {
  const { log, checkpoint = checkpointOf(log), fromStart, workers, logUntrustedRecords } = given
  return {
    ...{ log, fromStart, logUntrusted: logUntrustedRecords },
    ...(checkpoint !== '' && checkpoint !== 'none' && { checkpoint }),
    ...(workers !== undefined && { workers }),
  }
}

/** Where the agent serves metrics, if it does. */
export function metricsOf(given: AgentArguments): { metrics?: MetricsListen } {
  const { enableMetrics, metricsHost } = given
  return enableMetrics
    ? { metrics: { ...metricsListen(given), ...(metricsHost !== undefined && { host: metricsHost }) } }
    : {}
}
