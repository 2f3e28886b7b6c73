import type { SourceRequest } from '../audit/source/choose-source.ts'
import type { Metadata } from './metadata.ts'
import type { LogFormat } from './role-logger.ts'

export interface AgentArguments {
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
  unloadAllAaProfiles: boolean
  removeAllSeccompProfiles: boolean
}

export interface Checked {
  request: SourceRequest
  metadata: Metadata
}

export function pipelineOf({ log, checkpoint, fromStart, workers, logUntrustedRecords }: AgentArguments) {
  return {
    ...{ log, fromStart, logUntrusted: logUntrustedRecords },
    ...(checkpoint !== undefined && { checkpoint }),
    ...(workers !== undefined && { workers }),
  }
}
