import { hostname } from 'node:os'
import { pino } from 'pino'
import { runAuditOnly } from '../agent/audit-only.ts'
import { parseRequest } from '../audit/source/choose-source.ts'
import { printable } from './output.ts'

export interface AgentArguments {
  containers: string
  auditSource?: string
  auditLogPaths?: string
  log: string
  nodeName?: string
  metadata?: string
  checkpoint?: string
  fromStart: boolean
  workers?: number
  statusEvery?: number
}

const misuse = 2

/** Runs the agent until SIGTERM or SIGINT. Returns the exit status. */
export async function agentCommand(given: AgentArguments): Promise<number> {
  const parsed = parseRequest(given.auditSource, given.auditLogPaths)
  const metadata = parseMetadata(given.metadata)
  const problems = [...(parsed.ok ? [] : parsed.problems), ...(metadata.ok ? [] : [metadata.problem])]
  if (!parsed.ok || !metadata.ok) {
    for (const problem of problems) process.stderr.write(`error: ${printable(problem)}\n`)
    return misuse
  }
  const { containers, log, checkpoint, fromStart, workers, statusEvery, nodeName = hostname() } = given
  // Few lines that matter: each is on its way before the next thing happens.
  const logger = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }))
  return runAuditOnly({
    ...{ containers, log, fromStart, nodeName, logger },
    request: parsed.request,
    metadata: metadata.value,
    ...(checkpoint !== undefined && { checkpoint }),
    ...(workers !== undefined && { workers }),
    ...(statusEvery !== undefined && { statusEvery: statusEvery * 1000 }),
    signals: process,
  })
}

type Metadata = { ok: true; value: Record<string, string> } | { ok: false; problem: string }

/** `k=v,…` as the manager's chart gives it. */
function parseMetadata(text = ''): Metadata {
  const value: Record<string, string> = Object.create(null)
  for (const pair of text.split(',').filter((part) => part !== '')) {
    const at = pair.indexOf('=')
    if (at <= 0) return { ok: false, problem: `no pair KEY=VALUE in the metadata: "${pair}"` }
    value[pair.slice(0, at).trim()] = pair.slice(at + 1).trim()
  }
  return { ok: true, value: { ...value } }
}
