import { mebibyte } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { FileCredentials } from '../http/file-credentials.ts'
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
import { type Callers, webhookRoutes } from './http/webhook-routes.ts'
import type { ManagerMetrics } from './metrics/manager-metrics.ts'
import type { ListenOptions, WebhookClients } from './options.ts'

/** Bytes of a busy manager without the agents' connections, and bytes of one connection. */
const beside = 460 * mebibyte
const eachConnection = 100 * 1024
/** Maximum connections with a request in progress, in addition to idle connections that are kept. */
const atWork = 2_000

/**
 * Maximum connections of agents that are kept open between two reports, and maximum connections in all.
 * @param memory bytes that the process may use; 0 if unknown
 */
export function connectionLimits(memory: number): Pick<ServerLimits, 'kept' | 'connections'> {
  const max = 20_000
  const kept = memory === 0 ? max : Math.floor((memory - beside) / eachConnection)
  const within = Math.max(defaultLimits.kept, Math.min(max, kept))
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
  #clientCa: FileCredentials<{ clientCa: string }> | undefined
  readonly #servers: { webhook?: HttpServer; status?: HttpServer; metrics?: MetricsServer } = {}

  constructor(options: ServersOptions) {
    this.#options = options
  }

  /** The ports; 0 for a server that does not listen. */
  get ports(): { webhook: number; status: number; metrics: number } {
    const { webhook, status, metrics } = this.#servers
    return { webhook: webhook?.port ?? 0, status: status?.port ?? 0, metrics: metrics?.port ?? 0 }
  }

  /** Starts the servers. Until `setCredentials`, the webhook and status servers accept no connections. */
  async start(reviewer: Reviewer, status: Pick<StatusRoutesOptions, 'report' | 'data' | 'models'>): Promise<void> {
    const { logger, isReady, listen, metrics } = this.#options
    const { ports = {}, host, metrics: listenForMetrics = {}, memory = process.constrainedMemory(), clock } = listen
    const common = { log: logger, ...(host !== undefined && { host }), ...(clock !== undefined && { clock }) }
    const probes = { isAlive: () => true, isReady }
    const { webhookClients: clients } = listen
    const clientCa = clients && (await FileCredentials.openClientCa({ ...clients, clock: systemClock, log: logger }))
    this.#clientCa = clientCa
    const webhook = await startServer({
      ...common,
      name: 'webhook',
      port: ports.webhook ?? 3443,
      tls: clientCa?.current ?? {},
      routes: webhookRoutes({ reviewer, callers: clients && callersOf(clients, logger), ...probes }),
    })
    this.#servers.webhook = webhook
    clientCa?.follow((renewed) => webhook.setClientCa(renewed.clientCa))
    this.#servers.status = await startServer({
      ...common,
      name: 'status',
      port: ports.status ?? 8080,
      tls: {},
      // Senders of bodies are authenticated and limited here, so each body gets some seconds before another body may
      // take its place.
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

  /**
   * Answers for `within` milliseconds more, and closes connections, so that clients connect to another manager next.
   * Never rejects.
   */
  async retire(within: number): Promise<void> {
    const { webhook, status } = this.#servers
    await Promise.all([webhook?.retire(within), status?.retire(within)])
  }

  /** Stops accepting requests. Resolves when the current requests are answered, or the time is over. */
  async drain(within: number): Promise<void> {
    await this.#clientCa?.close()
    await Promise.all(Object.values(this.#servers).map((server) => server.drain(within)))
  }
}

/**
 * If the API server presents no certificate, pods run unconfined or cannot be created. So log refusals, at a decreasing
 * rate.
 */
function callersOf({ names }: WebhookClients, logger: Logger): Callers {
  let count = 0
  return {
    ...(names !== undefined && { names }),
    refused: (address, reason) => {
      if (Number.isInteger(Math.log10(++count)))
        logger.warn(
          { count, reason: `${address}: ${reason}` },
          'refusing reviews, because the client certificate is not from --webhook-client-ca',
        )
    },
  }
}
