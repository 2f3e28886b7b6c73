import type { RequestOptions } from 'node:https'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { KubeConfig, type User } from '@kubernetes/client-node'
import { Agent, type buildConnector, type Dispatcher } from 'undici'
import { type Clock, systemClock } from '../base/clock.ts'
import { pluginError } from './exec-plugin.ts'
import { proxyConnector } from './proxy-connector.ts'

/** Headers and connections for requests. */
export interface Credentials {
  /** Increases by one each time the credentials are renewed. */
  readonly serial: number
  readonly headers: Readonly<Record<string, string>>
  /**
   * Connections for requests other than watches. Their number is limited, so that many requests do not overload the
   * server.
   */
  readonly requests: Dispatcher
  /** Connections for watches. Each watch keeps a connection for minutes. */
  readonly watches: Dispatcher
}

/** A connection to an API server, with our credentials. */
export interface Connection {
  /** Scheme, host and port. */
  readonly origin: string
  /** The path before `/api` and `/apis`, without a trailing slash; usually empty. */
  readonly basePath: string
  /** The namespace of the kubeconfig's context, or of our pod. */
  readonly namespace: string
  /** The current credentials. Files and exec plugins are read or run again when they are due. */
  credentials(): Promise<Credentials>
  /**
   * Call this when the server has refused the credentials of this serial. The next credentials are loaded from their
   * sources, without caches.
   */
  renew(serial: number): void
  /** Closes all connections at once. */
  close(): Promise<void>
}

export interface ConnectionOptions {
  clock?: Clock
  /** Milliseconds for which headers are reused before KubeConfig is asked again. Default 10,000. */
  reload?: number
  /** Maximum connections for requests other than watches. Default 32. */
  connections?: number
}

interface Pools {
  requests: Dispatcher
  watches: Dispatcher
  /** The TLS options as text, to detect a replaced certificate. */
  material: string
}

/**
 * Connects with a KubeConfig: its authenticators provide headers and TLS options, and undici sends the requests.
 * KubeConfig reads a token file again after a minute, early enough for projected tokens, which live at least 10
 * minutes. New certificates get new pools; running requests finish in the old pools.
 */
export class KubeConnection implements Connection {
  readonly origin: string
  readonly basePath: string
  readonly namespace: string
  #config: KubeConfig
  #options: Required<ConnectionOptions>
  #current: Credentials | undefined
  #loadedAt = 0
  #loading: Promise<Credentials> | undefined
  #pools: Pools | undefined
  #retired = new Set<Dispatcher>()
  #serial = 0
  #closed = false

  constructor(config: KubeConfig, options: ConnectionOptions = {}) {
    const cluster = config.getCurrentCluster()
    if (cluster === null) throw new TypeError('The configuration has no current cluster')
    const url = new URL(cluster.server)
    this.origin = url.origin
    this.basePath = url.pathname.replace(/\/+$/, '')
    this.namespace = config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default'
    this.#config = config
    this.#options = { clock: systemClock, reload: 10_000, connections: 32, ...options }
  }

  async credentials(): Promise<Credentials> {
    const { clock, reload } = this.#options
    if (this.#current !== undefined && clock.now() - this.#loadedAt < reload) return this.#current
    return this.#load()
  }

  renew(serial: number): void {
    if (serial !== this.#serial) return
    // A KubeConfig caches the results of plugins and files. A new KubeConfig has an empty cache.
    const { clusters, users, contexts, currentContext } = this.#config
    const config = new KubeConfig()
    config.loadFromOptions({ clusters, users, contexts, currentContext })
    this.#config = config
    this.#serial++
    this.#current = undefined
  }

  async close(): Promise<void> {
    this.#closed = true
    const { requests, watches } = this.#pools ?? {}
    await Promise.all([requests, watches, ...this.#retired].map((pool) => pool?.destroy()))
  }

  #load(): Promise<Credentials> {
    this.#loading ??= this.#loadNow().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #loadNow(): Promise<Credentials> {
    if (this.#closed) throw new Error('The connection is closed')
    for (;;) {
      const serial = this.#serial
      const options: RequestOptions & { auth?: string } = {}
      await this.#config.applyToHTTPSOptions(options).catch((error: unknown) => {
        throw pluginError(this.#config.getCurrentUser(), error) ?? error
      })
      // `renew` was called while these credentials loaded, so they may be the refused credentials. Load them again.
      if (serial !== this.#serial) continue
      const headers = headersOf(options)
      const refused = badTokenOf(this.#config.getCurrentUser(), headers['authorization'])
      if (refused !== undefined) {
        // Drops KubeConfig's copy of the token, so that a corrected file is read at once and not after a minute.
        this.renew(serial)
        throw new Error(`${refused} does not contain a valid token; a token must be one line of ASCII`)
      }
      const { requests, watches } = await this.#poolsFor(options)
      this.#current = { serial, headers, requests, watches }
      this.#loadedAt = this.#options.clock.now()
      return this.#current
    }
  }

  async #poolsFor(options: RequestOptions): Promise<Pools> {
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options as RequestOptions & {
      servername?: string
    }
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }
    const material = JSON.stringify(tls)
    if (this.#pools?.material === material) return this.#pools
    const old = this.#pools
    const context = this.origin.startsWith('https:') ? { secureContext: contextOf(tls) } : {}
    const make = (connections: number | null) => makePool(this.#config, { tls, context }, connections)
    this.#pools = { material, requests: await make(this.#options.connections), watches: await make(null) }
    if (old !== undefined) for (const pool of [old.requests, old.watches]) this.#retire(pool)
    return this.#pools
  }

  #retire(pool: Dispatcher): void {
    this.#retired.add(pool)
    const done = () => this.#retired.delete(pool)
    pool.close().then(done, done)
  }
}

/**
 * The source of an invalid token; undefined if the token is valid. With an empty token, the server would treat the
 * request as anonymous.
 */
function badTokenOf(user: User | null, authorization: string | undefined): string | undefined {
  const file: unknown = user?.authProvider?.config?.['tokenFile']
  const isExpected = typeof file === 'string' || authorization?.startsWith('Bearer')
  if (!isExpected || /^Bearer [!-~]+$/.test(authorization ?? '')) return undefined
  return typeof file === 'string' ? file : `user ${user?.name}`
}

/** KubeConfig's headers, without white space around a token: token files often end with a newline. */
function headersOf(options: RequestOptions & { auth?: string | null }): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': 'varmor' }
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name.toLowerCase()] = String(value)
      .trim()
      .replace(/^Bearer\s+/, 'Bearer ')
  return headers
}

type BuildOptions = buildConnector.BuildOptions

// undici's own timeouts are off, because every request has a deadline, and every watch has an inactivity timer.
const timeouts = { headersTimeout: 0, bodyTimeout: 0 }
const connect = { keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 }

/**
 * One TLS context for all connections. Otherwise, each connection would parse the certificates and keep its own copy.
 */
function contextOf(tls: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(tls)
  } catch (cause) {
    throw new Error(`certificates or keys of the configuration are unusable: ${(cause as Error).message}`, { cause })
  }
}

interface Tls {
  tls: object
  context: { secureContext?: SecureContext }
}

async function makePool(config: KubeConfig, { tls, context }: Tls, connections: number | null): Promise<Dispatcher> {
  const options = config.createDispatcherOptions(config.getCurrentCluster(), tls)
  switch (options.type) {
    case 'none':
      return new Agent({ ...timeouts, connections, connect: { ...connect, ...context } })
    case 'agent':
      return new Agent({
        ...timeouts,
        connections,
        connect: { ...connect, ...(options.connect as BuildOptions), ...context },
      })
    case 'proxy':
      return new Agent({
        ...timeouts,
        connections,
        connect: proxyConnector(options.uri, { ...(options.requestTls as BuildOptions), ...context }),
      })
    case 'socks':
      return socksPool(config)
  }
}

/** Gets a pool from KubeConfig, which alone supports SOCKS. */
async function socksPool(config: KubeConfig): Promise<Dispatcher> {
  let pool: Dispatcher | undefined
  const context = {
    setHeaderParam: () => undefined,
    setDispatcher: (dispatcher: unknown) => {
      pool = dispatcher as Dispatcher
    },
  }
  await config.applySecurityAuthentication(
    context as unknown as Parameters<KubeConfig['applySecurityAuthentication']>[0],
  )
  if (pool === undefined)
    throw new Error('The configuration names a SOCKS proxy, but no connection through it is possible')
  return pool
}
