import { REPORT_PATH } from '../../api/agent-report.ts'
import { MODEL_DATA_PATH } from '../../api/model-report.ts'
import { apiVersion } from '../../api/schema/common.ts'
import { type Handler, json, type Route, type Routes } from '../../http/routes.ts'
import { probe } from './webhook-routes.ts'

export interface StatusRoutesOptions {
  report: Handler
  /** Handles recordings of agents. Absent: behaviour modelling is disabled. */
  data?: Handler | undefined
  /** Serves models to users. Absent: behaviour modelling is disabled. */
  models?: Route | undefined
  isAlive: () => boolean
  isReady: () => boolean
}

/** The path of each model starts with this text. */
export const MODELS_PREFIX = `/apis/${apiVersion}/namespaces/`

/**
 * The paths of the status server: reports and recordings of agents, models for users, and probes of the kubelet. The
 * paths are upstream's.
 */
export function statusRoutes({ report, data, models, isAlive, isReady }: StatusRoutesOptions): Routes {
  return {
    exact: {
      [REPORT_PATH]: { POST: report },
      '/healthz': probe(isAlive),
      '/readyz': probe(isReady),
      [MODEL_DATA_PATH]: data === undefined ? noModels : { POST: data },
    },
    under: [{ prefix: MODELS_PREFIX, route: models ?? noModels }],
  }
}

const refuse: Handler = {
  // Refuse in `admit`, before the body of a recording is read.
  admit: () =>
    json(404, {
      error:
        'Behaviour modelling is disabled: start the managers with --enableBehaviorModeling (behaviorModeling.enabled)',
    }),
  handle: () => json(404, { error: 'not found' }),
}
const noModels: Route = { GET: refuse, POST: refuse, PUT: refuse }
