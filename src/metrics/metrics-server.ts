import type { Registry } from 'prom-client'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { type CredentialFiles, FileCredentials } from '../http/file-credentials.ts'
import { type HttpServer, startServer } from '../http/server.ts'
import { metricsRoutes } from './metrics-routes.ts'

/** The port of upstream's metrics. */
export const METRICS_PORT = 8081

export interface MetricsListen {
  /** The port; default METRICS_PORT. 0 means any free port. */
  port?: number
  host?: string
  /** Files for TLS; plain HTTP if absent, as in upstream. */
  tls?: CredentialFiles
}

export interface MetricsServerOptions extends MetricsListen {
  registry: Registry
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** The server for metrics. All roles use it. */
export class MetricsServer {
  readonly #server: HttpServer
  readonly #credentials: FileCredentials | undefined

  private constructor(server: HttpServer, credentials: FileCredentials | undefined) {
    this.#server = server
    this.#credentials = credentials
    credentials?.follow((renewed) => server.setCredentials(renewed))
  }

  /** @throws the socket's error, such as EADDRINUSE, or an Error about the certificate files */
  static async start({ registry, port = METRICS_PORT, host, tls, log }: MetricsServerOptions): Promise<MetricsServer> {
    const credentials = tls && (await FileCredentials.open({ files: tls, clock: systemClock, log }))
    const server = await startServer({
      ...{ name: 'metrics', port, log, routes: metricsRoutes(registry) },
      ...(host !== undefined && { host }),
      ...(credentials !== undefined && { tls: credentials.current }),
      // These limits suffice for a few Prometheus servers with one or two connections each. Prometheus sends no bodies.
      limits: { connections: 64, maxBody: 0 },
    })
    return new MetricsServer(server, credentials)
  }

  get port(): number {
    return this.#server.port
  }

  /** See HttpServer. */
  async drain(within: number): Promise<void> {
    await this.#credentials?.close()
    await this.#server.drain(within)
  }
}
