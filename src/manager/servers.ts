import { mebibyte } from '../base/bytes.ts'
import type { Logger } from '../base/logger.ts'
import {
  defaultLimits,
  type HttpServer,
  type ServerLimits,
  type ServingCredentials,
  startServer,
} from '../http/server.ts'
import { MetricsServer } from '../metrics/metrics-server.ts'
import type { Reviewer } from './admission/reviewer.ts'
import { type StatusRoutesOptions, statusRoutes } from './http/status-routes.ts'
import { webhookRoutes } from './http/webhook-routes.ts'
import type { ManagerMetrics } from './metrics/manager-metrics.ts'
import type { ListenOptions } from './options.ts'

/** Bytes that a manager takes beside the connections of agents where it has much to do, and that one of these takes. */
const beside = 460 * mebibyte
const eachConnection = 100 * 1024
/** Connections on which something is said, beside those that are kept. */
const atWork = 2_000

/**
 * How many connections of agents stay open between two reports, and how many there may be at all.
 * @param memory bytes that the process may take; 0 where nobody says
 */
export function connectionLimits(memory: number): Pick<ServerLimits, 'kept' | 'connections'> {
  const most = 20_000
  const kept = memory === 0 ? most : Math.floor((memory - beside) / eachConnection)
  const within = Math.max(defaultLimits.kept, Math.min(most, kept))
  return { kept: within, connections: within + atWork }
}

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
    const { ports = {}, host, metrics: listenForMetrics = {}, memory = process.constrainedMemory() } = listen
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
      // Who sends a body here is known, and bounded: of many large ones at once, those that have begun come to their end.
      limits: { ...connectionLimits(memory), bodyTime: 5_000 },
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
