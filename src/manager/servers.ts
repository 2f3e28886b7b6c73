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
  #clientCa: FileCredentials<{ clientCa: string }> | undefined
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

  /** Webhooks and agents are answered for so many milliseconds more, and come to another manager next time. Never rejects. */
  async retire(within: number): Promise<void> {
    const { webhook, status } = this.#servers
    await Promise.all([webhook?.retire(within), status?.retire(within)])
  }

  /** Takes nothing new; resolves when what was asked is answered, or the time is over. */
  async drain(within: number): Promise<void> {
    await this.#clientCa?.close()
    await Promise.all(Object.values(this.#servers).map((server) => server.drain(within)))
  }
}

/** Where an API server shows no certificate, pods run free or cannot be made: the log says so, for more and more reviews at a time. */
function callersOf({ names }: WebhookClients, logger: Logger): Callers {
  let count = 0
  return {
    ...(names !== undefined && { names }),
    refused: (address, reason) => {
      if (Number.isInteger(Math.log10(++count)))
        logger.warn(
          { count, reason: `${address}: ${reason}` },
          'reviews are refused, because their client is not one of --webhook-client-ca',
        )
    },
  }
}
