import type { Registry } from 'prom-client'
import type { Routes } from '../http/routes.ts'

/**
 * The route `/metrics` in the text format of Prometheus. Concurrent requests share one answer, so that many requests
 * cost no more than one request.
 */
export function metricsRoutes(registry: Registry): Routes {
  let making: Promise<string> | undefined
  const answer = (): Promise<string> => {
    making ??= registry.metrics().finally(() => {
      making = undefined
    })
    return making
  }
  return {
    exact: {
      '/metrics': { GET: { handle: async () => ({ status: 200, body: await answer(), type: registry.contentType }) } },
    },
  }
}
