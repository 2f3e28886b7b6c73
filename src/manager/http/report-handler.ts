import { type AgentReport, checkReport, type ReportAnswer } from '../../api/agent-report.ts'
import type { Handler } from '../../http/routes.ts'
import { type AgentHandlerOptions, agentHandler } from './agent-handler.ts'

export interface ReportHandlerOptions extends AgentHandlerOptions {
  /** Takes a report in one pass, and returns the epoch and whether a complete report is wanted next. */
  take: (report: AgentReport) => ReportAnswer
  observe?: (outcome: { status: number; profiles: number }) => void
}

/** `POST /apis/v1/status`: takes agents' reports, each for its own node only. */
export function reportHandler({ take, observe, ...options }: ReportHandlerOptions): Handler {
  return agentHandler<AgentReport>(options, {
    what: 'report',
    check: (body) => {
      const result = checkReport(body)
      return result.ok ? { ok: true, value: result.report } : result
    },
    take: (report) => {
      observe?.({ status: 200, profiles: report.profiles.length })
      return take(report)
    },
    refused: (status) => observe?.({ status, profiles: 0 }),
  })
}
