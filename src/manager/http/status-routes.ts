import { REPORT_PATH } from '../../api/agent-report.ts'
import { MODEL_DATA_PATH } from '../../api/model-report.ts'
import { apiVersion } from '../../api/schema/common.ts'
import { type Handler, json, type Route, type Routes } from '../../http/routes.ts'
import { probe } from './webhook-routes.ts'

export interface StatusRoutesOptions {
  report: Handler
  /** What agents recorded; left out: this installation records nothing. */
  data?: Handler | undefined
  /** Models for people; left out: none. */
  models?: Route | undefined
  isAlive: () => boolean
  isReady: () => boolean
}

/** Where models are, and what comes behind it. */
export const MODELS_PREFIX = `/apis/${apiVersion}/namespaces/`

/** What agents report to, what people ask for models, and what the kubelet probes; upstream's paths. */
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
  // In `admit`, so that data of a recording are not taken only to be thrown away.
  admit: () =>
    json(404, {
      error:
        'This installation records no behaviour: start managers with --enableBehaviorModeling (behaviorModeling.enabled)',
    }),
  handle: () => json(404, { error: 'not found' }),
}
const noModels: Route = { GET: refuse, POST: refuse, PUT: refuse }
