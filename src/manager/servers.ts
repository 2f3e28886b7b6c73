import type { Logger } from '../base/logger.ts'
import { type HttpServer, type ServingCredentials, startServer } from '../http/server.ts'
import { MetricsServer } from '../metrics/metrics-server.ts'
import type { Reviewer } from './admission/reviewer.ts'
import { type StatusRoutesOptions, statusRoutes } from './http/status-routes.ts'
import { webhookRoutes } from './http/webhook-routes.ts'
import type { ManagerMetrics } from './metrics/manager-metrics.ts'
import type { ListenOptions } from './options.ts'

export interface ServersOptions {
  logger: Logger
  listen: ListenOptions
  isReady(): boolean
  metrics: ManagerMetrics
}

/** The servers of a manager: webhooks for the API server, status and reports for agents, metrics for Prometheus. */
export class Servers {
  readonly #options: ServersOptions
  readonly #servers: { webhook?: HttpServer; status?: HttpServer; metrics?: MetricsServer } = {}

  constructor(options: ServersOptions) {
    this.#options = options
  }

  /** 0 for one that does not listen. */
  get ports(): { webhook: number; status: number; metrics: number } {
    const { webhook, status, metrics } = this.#servers
    return { webhook: webhook?.port ?? 0, status: status?.port ?? 0, metrics: metrics?.port ?? 0 }
  }

  /** They take connections when they have credentials, but for that of metrics. */
  async start(reviewer: Reviewer, status: Pick<StatusRoutesOptions, 'report' | 'data' | 'models'>): Promise<void> {
    const { logger, isReady, listen, metrics } = this.#options
    const { ports = {}, host, metrics: listenForMetrics = {} } = listen
    const common = { log: logger, ...(host !== undefined && { host }) }
    const probes = { isAlive: () => true, isReady }
    this.#servers.webhook = await startServer({
      ...common,
      name: 'webhook',
      port: ports.webhook ?? 3443,
      tls: {},
      routes: webhookRoutes({ reviewer, ...probes }),
    })
    this.#servers.status = await startServer({
      ...common,
      name: 'status',
      port: ports.status ?? 8080,
      tls: {},
      routes: statusRoutes({ ...status, ...probes }),
    })
    if (listenForMetrics === false) return
    this.#servers.metrics = await MetricsServer.start({ ...common, ...listenForMetrics, registry: metrics.registry })
  }

  setCredentials(credentials: ServingCredentials): void {
    this.#servers.webhook?.setCredentials(credentials)
    this.#servers.status?.setCredentials(credentials)
  }

  /** Takes nothing new; resolves when what was asked is answered, or the time is over. */
  async drain(within: number): Promise<void> {
    await Promise.all(Object.values(this.#servers).map((server) => server.drain(within)))
  }
}
