import { REPORT_PATH } from '../../api/agent-report.ts'
import { apiVersion } from '../../api/schema/common.ts'
import { type Handler, json, type Route, type Routes } from '../../http/routes.ts'
import { probe } from './webhook-routes.ts'

export interface StatusRoutesOptions {
  report: Handler
  isAlive: () => boolean
  isReady: () => boolean
}

/** What agents report to, and what the kubelet probes; upstream's paths. Behaviour models have none behind theirs. */
export function statusRoutes({ report, isAlive, isReady }: StatusRoutesOptions): Routes {
  return {
    exact: {
      [REPORT_PATH]: { POST: report },
      '/healthz': probe(isAlive),
      '/readyz': probe(isReady),
      '/apis/v1/data': noModels,
    },
    under: [{ prefix: `/apis/${apiVersion}/namespaces/`, route: noModels }],
  }
}

const refuse: Handler = {
  // In `admit`, so that data of a recording are not taken only to be thrown away.
  admit: () =>
    json(404, { error: 'This version of vArmor records no behaviour models, and neither imports nor exports them' }),
  handle: () => json(404, { error: 'not found' }),
}
const noModels: Route = { GET: refuse, POST: refuse }
