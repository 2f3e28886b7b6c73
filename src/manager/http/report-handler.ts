import { type AgentReport, checkReport, type ReportAnswer } from '../../api/agent-report.ts'
import type { Handler } from '../../http/routes.ts'
import { type AgentHandlerOptions, agentHandler } from './agent-handler.ts'

export interface ReportHandlerOptions extends AgentHandlerOptions {
  /** Takes a report. The answer tells the agent the leader's epoch, and whether the next report must be complete. */
  take: (report: AgentReport) => ReportAnswer
  observe?: (outcome: { status: number; profiles: number }) => void
}

/** `POST /apis/v1/status`: takes the reports of agents. Each agent may report only for its own node. */
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
