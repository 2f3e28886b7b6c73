import { AskError } from '../../../actors/runtime/index.ts'
import { checkModelReport, MAX_PIECE_BYTES, type ModelAnswer, type ModelReport } from '../../api/model-report.ts'
import type { Handler } from '../../http/routes.ts'
import { type AgentHandlerOptions, agentHandler } from './agent-handler.ts'

export interface ModelDataHandlerOptions extends AgentHandlerOptions {
  /** @throws {AskError} when it is not accepted in time */
  take: (report: ModelReport) => Promise<ModelAnswer>
}

/** Seconds until an agent retries a report that no actor had time for. */
const LATER = 10

/** `POST /apis/v1/data`: takes agents' recordings, each for its own node only, one piece at a time. */
export function modelDataHandler({ take, ...options }: ModelDataHandlerOptions): Handler {
  // A node sends its pieces one after the other, on request.
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
