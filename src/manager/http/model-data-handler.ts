import { AskError } from '../../../actors/runtime/index.ts'
import { checkModelReport, MAX_PIECE_BYTES, type ModelAnswer, type ModelReport } from '../../api/model-report.ts'
import type { Handler } from '../../http/routes.ts'
import { type AgentHandlerOptions, agentHandler } from './agent-handler.ts'

export interface ModelDataHandlerOptions extends AgentHandlerOptions {
  /** @throws {AskError} if the actor does not accept the report in time */
  take: (report: ModelReport) => Promise<ModelAnswer>
}

/** Seconds until an agent retries a report that the actor did not accept in time. */
const LATER = 10

/**
 * `POST /apis/v1/data`: takes the recordings of agents, one piece at a time. Each agent may send only for its own node.
 */
export function modelDataHandler({ take, ...options }: ModelDataHandlerOptions): Handler {
  // A higher rate than for reports: a node sends the pieces of a recording one after the other.
  return agentHandler<ModelReport>(
    { rate: { burst: 200, refill: 20 }, ...options },
    {
      what: 'recording',
      max: MAX_PIECE_BYTES,
      check: (body) => {
        const result = checkModelReport(body)
        return result.ok ? { ok: true, value: result.report } : result
      },
      take: (report) =>
        take(report).catch((error: unknown): ModelAnswer => {
          if (!(error instanceof AskError)) throw error
          return { state: 'waiting', retrySeconds: LATER }
        }),
    },
  )
}
