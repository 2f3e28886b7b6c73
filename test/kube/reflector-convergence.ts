import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.ts'
import { ApiError, isAlreadyExists, isConflict, isNotFound } from '../../src/kube/api-error.ts'
import type { Change } from '../../src/kube/change.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { type ConfigMap, configMaps } from '../../src/kube/core-objects.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import { type KubeObject, keyOf, type ResourceRef } from '../../src/kube/objects.ts'
import { clientSource, Reflector } from '../../src/kube/reflector.ts'
import { checkOrder } from './check-order.ts'
import { FaultProxy } from './fault-proxy.ts'
import { until } from './scripted-server.ts'

/** An API server, embedded or real, whose state the reflector must reach. */
export interface ConvergenceTarget<T extends KubeObject = ConfigMap> {
  /** URL, such as `https://127.0.0.1:6443`. */
  server: string
  /** PEM of the authority that signed the server's certificate. */
  ca?: string
  /**
   * Fields of a user entry of a kubeconfig, with the names of client-node's User: `token`, or `certData` and
   * `keyData`.
   */
  credentials?: Record<string, unknown>
  /** An existing namespace that no other client writes to. */
  namespace: string
  /**
   * Faults of the server, by name: kill and restart it, compact it, drop its watches, answer 429 or 500 for a while.
   * Each resolves when the server is usable again, or will become usable by itself.
   */
  faults?: Record<string, () => Promise<void> | void>
  /** Removes the effects of faults, before the last comparison. */
  calm?: () => void
  /** Objects of another kind than ConfigMaps. */
  kind?: { ref: ResourceRef<T>; make: (name: string, value: number) => T }
}

export interface ConvergenceOptions {
  seed?: number
  /** Number of changes and faults. Default 400. */
  steps?: number
  /** Number of object names. Default 20. */
  names?: number
  /** Maximum seconds until the store equals the server's state at the end. Default 60. */
  timeout?: number
}

export interface ConvergenceReport {
  changesMade: number
  changesTold: number
  faults: Record<string, number>
  failures: number
  lists: number
  connections: number
}

/**
 * Changes objects at random while the connection to the server, and the server itself, fail at random; then stops all
 * faults. The reflector's store must become equal to the server's state, its handler must be called for each object in
 * order and for no version twice, and only a few connections may be open. The changes use a direct connection; only the
 * reflector's connection has faults.
 * @throws {Error} if a condition fails, with the seed in the message
 */
export async function checkConvergence<T extends KubeObject = ConfigMap>(
  target: ConvergenceTarget<T>,
  options: ConvergenceOptions = {},
): Promise<ConvergenceReport> {
  const { seed = Date.now() % 1_000_000, steps = 400, names = 20, timeout = 120 } = options
  try {
    return await new Run(target, seededRandom(seed), names).run(steps, timeout)
  } catch (cause) {
    throw new Error(`the reflector did not converge (seed ${seed}): ${(cause as Error).message}`, { cause })
  }
}

class Run<T extends KubeObject> {
  #target: ConvergenceTarget<T>
  #random: () => number
  #names: number
  #ref: ResourceRef<T>
  #make: (name: string, value: number) => T
  #report: ConvergenceReport = { changesMade: 0, changesTold: 0, faults: {}, failures: 0, lists: 0, connections: 0 }
  #changes: Change<T>[] = []

  constructor(target: ConvergenceTarget<T>, random: () => number, names: number) {
    this.#target = target
    this.#random = random
    this.#names = names
    this.#ref = target.kind?.ref ?? (configMaps as ResourceRef<KubeObject> as ResourceRef<T>)
    this.#make = target.kind?.make ?? ((name, value) => this.#configMap(name, value) as KubeObject as T)
  }

  async run(steps: number, timeout: number): Promise<ConvergenceReport> {
    const { hostname, port, protocol } = new URL(this.#target.server)
    const proxy = await FaultProxy.start(hostname, Number(port || (protocol === 'https:' ? 443 : 80)))
    const direct = this.#connect(this.#target.server)
    const faulty = this.#connect(`${protocol}//127.0.0.1:${proxy.port}`, hostname)
    const reflector = this.#reflector(faulty.client)
    reflector.start()
    try {
      for (let step = 0; step < steps; step++) await this.#step(direct.client, proxy)
      proxy.refuse(false)
      this.#target.calm?.()
      await this.#converges(direct.client, reflector, timeout)
      checkOrder(this.#changes)
      expect(proxy.open, 'connections left open').to.be.below(6)
      return { ...this.#report, changesTold: this.#changes.length, connections: proxy.connections }
    } finally {
      await reflector.stop()
      await this.#removeAll(direct.client)
      await Promise.all([faulty.connection.close(), direct.connection.close(), proxy.stop()])
    }
  }

  #connect(server: string, serverName?: string) {
    const { ca, credentials = {} } = this.#target
    const config = new KubeConfig()
    const trust =
      ca === undefined ? { skipTLSVerify: true } : { skipTLSVerify: false, caData: Buffer.from(ca).toString('base64') }
    // TLS cannot ask for an IP address by name; certificates of servers on this machine contain 127.0.0.1.
    const named = serverName === undefined || /^[\d.]+$|:/.test(serverName) ? {} : { tlsServerName: serverName }
    config.loadFromClusterAndUser({ name: 'target', server, ...trust, ...named }, { name: 'user', ...credentials })
    const connection = new KubeConnection(config)
    return { connection, client: new ApiClient({ connection, limiter: unlimited, random: this.#random }) }
  }

  #reflector(client: ApiClient): Reflector<T> {
    const reflector = new Reflector<T>({
      source: clientSource(client, this.#ref, { namespace: this.#target.namespace, labelSelector: 'convergence=yes' }),
      random: this.#random,
      // Short timeouts, so that many faults fit into a short time.
      timing: { backoffFirst: 20, backoffLongest: 500, healthyAfter: 1000, inactivity: 2000, opensWithin: 2000 },
      observer: {
        failed: () => this.#report.failures++,
        listed: () => this.#report.lists++,
      },
    })
    reflector.subscribe({
      name: 'all',
      mode: 'edge',
      bound: 1_000_000,
      handle: (change) => void this.#changes.push(change),
    })
    return reflector
  }

  async #step(client: ApiClient, proxy: FaultProxy): Promise<void> {
    const draw = this.#random()
    if (draw < 0.9) await this.#change(client)
    else if (draw < 0.92) void this.#fault('cut', () => proxy.cut())
    else if (draw < 0.93) void this.#fault('freeze', () => proxy.freeze())
    else if (draw < 0.95) void this.#fault('refuse', () => proxy.refuse(true))
    else if (draw < 0.97) proxy.refuse(false)
    else await this.#ownFault()
    if (this.#random() < 0.2) await new Promise((resolve) => setTimeout(resolve, 20 * this.#random()))
  }

  async #ownFault(): Promise<void> {
    const faults = Object.entries(this.#target.faults ?? {})
    const chosen = faults[Math.floor(this.#random() * faults.length)]
    if (chosen === undefined) return
    await this.#fault(chosen[0], chosen[1])
  }

  #fault(name: string, bring: () => Promise<void> | void): Promise<void> | void {
    this.#report.faults[name] = (this.#report.faults[name] ?? 0) + 1
    return bring()
  }

  /** The server may be unavailable or refuse on purpose; then the test omits this change, which does no harm. */
  async #change(client: ApiClient): Promise<void> {
    const { namespace } = this.#target
    const name = `convergence-${Math.floor(this.#random() * this.#names)}`
    try {
      if (this.#random() < 0.25) await client.delete(this.#ref, { namespace, name })
      else await this.#put(client, this.#make(name, Math.floor(this.#random() * 1e6)))
      this.#report.changesMade++
    } catch (error) {
      if (error instanceof ApiError && !isNotFound(error) && !isConflict(error) && error.code < 429) throw error
    }
  }

  async #put(client: ApiClient, object: T): Promise<void> {
    try {
      await client.create(this.#ref, object)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      await client.update(this.#ref, object)
    }
  }

  #configMap(name: string, value: number): ConfigMap {
    const { namespace } = this.#target
    return { metadata: { name, namespace, labels: { convergence: 'yes' } }, data: { value: String(value) } }
  }

  async #converges(client: ApiClient, reflector: Reflector<T>, timeout: number): Promise<void> {
    const which = { namespace: this.#target.namespace, labelSelector: 'convergence=yes' }
    const versions = (objects: Iterable<T>) =>
      new Map(Array.from(objects, (object) => [keyOf(object), object.metadata?.resourceVersion]))
    const { items } = await client.list(this.#ref, { ...which, deadline: timeout * 1000 })
    const wanted = versions(items)
    const equal = () => {
      const there = versions(reflector.store.values())
      return there.size === wanted.size && [...wanted].every(([key, version]) => there.get(key) === version)
    }
    await until('a store that is equal', equal, timeout)
    await until('a handler that knows all', () => reflector.depths['all'] === 0, timeout)
  }

  async #removeAll(client: ApiClient): Promise<void> {
    const which = { namespace: this.#target.namespace, labelSelector: 'convergence=yes' }
    const { items } = await client.list(this.#ref, which)
    for (const { metadata } of items) {
      const target = { name: metadata?.name ?? '', namespace: this.#target.namespace }
      await client.delete(this.#ref, target).catch((error: unknown) => {
        if (!isNotFound(error)) throw error
      })
    }
  }
}
