import type { Registry } from 'prom-client'
import type { Routes } from '../http/routes.ts'

/** `/metrics` in the text format of Prometheus. */
export function metricsRoutes(registry: Registry): Routes {
  return {
    exact: {
      '/metrics': {
        GET: { handle: async () => ({ status: 200, body: await registry.metrics(), type: registry.contentType }) },
      },
    },
  }
}
