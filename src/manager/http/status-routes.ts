import { REPORT_PATH } from '../../api/agent-report.ts'
import { MODEL_DATA_PATH } from '../../api/model-report.ts'
import { apiVersion } from '../../api/schema/common.ts'
import { type Handler, json, type Route, type Routes } from '../../http/routes.ts'
import { probe } from './webhook-routes.ts'

export interface StatusRoutesOptions {
  report: Handler
  /** Agents' recordings; absent: this installation does not record. */
  data?: Handler | undefined
  /** Models for users; absent: none. */
  models?: Route | undefined
  isAlive: () => boolean
  isReady: () => boolean
}

/** Path of models. */
export const MODELS_PREFIX = `/apis/${apiVersion}/namespaces/`

/** Paths for agents' reports, users' models, and the kubelet's probes; as upstream. */
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
  // In `admit`, so that a recording's data is not received only to be dropped.
  admit: () =>
    json(404, {
      error:
        'Behaviour modelling is disabled: start the managers with --enableBehaviorModeling (behaviorModeling.enabled)',
    }),
  handle: () => json(404, { error: 'not found' }),
}
const noModels: Route = { GET: refuse, POST: refuse, PUT: refuse }
