import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { type Logger, noLogger } from '../../src/base/logger.ts'
import { isAlreadyExists, isNotFound } from '../../src/kube/api-error.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { type Connection, KubeConnection } from '../../src/kube/connection.ts'
import { configMaps, namespaces, serviceAccounts } from '../../src/kube/core-objects.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import type { KubeObject, ResourceRef } from '../../src/kube/objects.ts'
import { leases } from '../../src/kube/resources.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { Manager } from '../../src/manager/manager.ts'
import type { ManagerOptions } from '../../src/manager/options.ts'
import { agentToken, install } from '../../src/sandbox/install.ts'
import { eventually } from '../cluster/wait.ts'
import { breakConnections, openAgain } from './dead-ports.ts'
import { type Death, KillSwitch } from './kill-switch.ts'
import { SimulatedNode } from './simulated-node.ts'
import type { ControlPlaneTarget } from './target.ts'

export const installNamespace = 'varmor'

/** Manager options that shorten all waits of minutes to a second or two. */
export const quick: Partial<ManagerOptions> = {
  agents: { reportSeconds: 1 },
  restartLimits: { inFlight: 8, inFlightPerNamespace: 2, perMinute: 10_000, perMinutePerNamespace: 10_000 },
  policy: {
    statusInterval: 50,
    progressInterval: 100,
    maxInterval: 500,
    nodesInterval: 20,
    uncoveredInterval: 100,
    silentAfter: 2_500,
    goneAfter: 2_500,
    grace: 10_000,
    settleTime: 300,
    joinGrace: 6_000,
    egressControl: { pods: true, services: true },
    behaviorModeling: true,
    firstBackoff: 50,
    maxBackoff: 1_000,
    refusedInterval: 1_000,
    watchDelay: 5_000,
  },
  model: { timeout: 8_000, writeInterval: 500 },
  rollout: { deadline: 3_000, pollInterval: 100, surveyInterval: 50, retryInterval: 100 },
  timing: {
    // Long enough for a machine that is busy with other tests: a request may take as long as the retry period.
    election: { leaseDuration: 15_000, renewDeadline: 12_000, retryPeriod: 1_000 },
    watches: { backoffFirst: 50, backoffLongest: 500 },
    certificates: { backoff: { first: 50, max: 500 } },
    pace: { qps: 2_000, burst: 2_000 },
  },
}

/** A manager of the suite, which writes no log. */
export const managerOptions = (connection: Connection): ManagerOptions => ({
  connection,
  namespace: installNamespace,
  identity: 'manager',
  logger: noLogger,
  listen: { host: '127.0.0.1', ports: { webhook: 0, status: 0 }, metrics: { port: 0 } },
  reach: { names: ['127.0.0.1', 'localhost'], webhooks: (port) => ({ url: `https://127.0.0.1:${port}` }) },
  // All clients of the suite use the same kubeconfig, because the embedded server does not name the caller.
  admission: { profileWriters: ['kubernetes-admin', `system:serviceaccount:${installNamespace}:varmor-manager`] },
  ...quick,
})

export interface RunningManager {
  manager: Manager
  connection: KillSwitch
}

/** Managers and agents of a test on a target, and helpers that act as a user. */
export class World {
  readonly target: ControlPlaneTarget
  readonly nodes = new Map<string, SimulatedNode>()
  readonly logger: Logger
  readonly timing = { backoffFirst: 50, backoffLongest: 500 }
  readonly #folder = mkdtempSync(join(tmpdir(), 'varmor-control-plane-'))
  readonly #limiter = new PriorityLimiter({ qps: 5_000, burst: 5_000 })
  readonly #connections: KubeConnection[] = []
  /** Killed managers that have not ended yet; of their process only timers and sockets remain. */
  readonly #ending: Promise<void>[] = []
  readonly #deadPorts: number[] = []
  readonly client: ApiClient
  /** Port of a manager outside of this process, to which agents report. */
  statusPort: number | undefined
  #running: RunningManager | undefined
  #namespaces = 0
  #authority: string | undefined

  private constructor(target: ControlPlaneTarget) {
    this.target = target
    this.logger = process.env['VARMOR_TEST_LOG'] === undefined ? noLogger : printing
    // A long timeout, because no test depends on how fast a busy machine answers.
    this.client = new ApiClient({ connection: this.connect(), limiter: this.#limiter, deadline: 120_000 })
  }

  static async start(
    target: ControlPlaneTarget,
    nodeCount: number,
    options: Partial<ManagerOptions> = {},
  ): Promise<World> {
    const world = new World(target)
    await install(world.client, installNamespace)
    await world.startManager(options)
    await Promise.all(Array.from({ length: nodeCount }, (_, i) => world.addNode(`node-${i + 1}`)))
    return world
  }

  get statusUrl(): string {
    return `https://127.0.0.1:${this.statusPort ?? this.#running?.manager.ports.status ?? 1}`
  }

  /** The certificate authority that agents trust. */
  async authority(doubted: boolean): Promise<string> {
    if (this.#authority === undefined || doubted) {
      const found = await this.find(configMaps, { name: 'varmor-manager-tls-ca', namespace: installNamespace })
      this.#authority = found?.data?.['ca.crt']
    }
    return this.#authority ?? ''
  }

  /** A certificate authority that signs no manager's certificate, in base64: the API server's own. */
  get strangeAuthority(): string {
    const config = new KubeConfig()
    config.loadFromString(this.target.kubeconfig)
    return config.getCurrentCluster()?.caData ?? ''
  }

  get manager(): Manager {
    return this.running.manager
  }

  get running(): RunningManager {
    if (this.#running === undefined) throw new Error('There is no manager now')
    return this.#running
  }

  /** Connects with the component's account if the target has one, otherwise as an administrator. */
  connect(component?: 'manager' | 'agent'): KubeConnection {
    const config = new KubeConfig()
    config.loadFromString(this.kubeconfigOf(component))
    const connection = new KubeConnection(config)
    this.#connections.push(connection)
    return connection
  }

  kubeconfigOf(component?: 'manager' | 'agent'): string {
    const own = component && this.target.kubeconfigs?.[component]
    return own ?? this.target.kubeconfig
  }

  /** A client with the agents' token. */
  async asAgent(): Promise<ApiClient> {
    const [name] = this.nodes.keys()
    const { metadata } = await this.client.get(nodes, { name: name! })
    const token = await agentToken(this.client, installNamespace, { name: name!, uid: metadata?.uid ?? '' })
    const config = new KubeConfig()
    config.loadFromString(this.target.kubeconfig)
    config.loadFromClusterAndUser(config.getCurrentCluster()!, { name: 'agent', token })
    const connection = new KubeConnection(config)
    this.#connections.push(connection)
    return new ApiClient({ connection, limiter: this.#limiter, deadline: 120_000 })
  }

  /** @param death resolves when a test kills the manager */
  async startManager(options: Partial<ManagerOptions> = {}, death?: Death): Promise<RunningManager> {
    const connection = new KillSwitch(this.connect('manager'), death)
    const manager = new Manager({ ...managerOptions(connection), logger: this.logger, ...options })
    this.#running = { manager, connection }
    const started = manager.start()
    // A killed manager never completes its start.
    started.catch(() => undefined)
    await Promise.race([started, connection.died])
    openAgain(Object.values(manager.ports))
    return this.#running
  }

  async stopManager(): Promise<void> {
    await this.#running?.manager.stop()
    await this.#running?.connection.close()
    this.#running = undefined
  }

  /**
   * Acts like SIGKILL: the manager no longer reaches the server, and clients no longer reach the manager. Its lease is
   * removed, as if it had expired.
   */
  async killManager(): Promise<void> {
    const { manager, connection } = this.running
    this.#running = undefined
    connection.kill()
    const ports = Object.values(manager.ports)
    this.#deadPorts.push(...ports)
    breakConnections(ports)
    this.#ending.push(manager.stop())
    await this.client.delete(leases, { name: 'varmor-manager', namespace: installNamespace }).catch((error) => {
      if (!isNotFound(error)) throw error
    })
  }

  /** Resolves when the manager leads. */
  async leading(): Promise<void> {
    await eventually('the manager to lead', async () => this.#running?.manager.isLeader())
  }

  /** Adds a node with or without an agent. */
  async addNode(name: string, agent = true): Promise<SimulatedNode> {
    await this.target.addNode(name)
    const { metadata } = await this.client.get(nodes, { name })
    const tokenFile = join(this.#folder, `token-${name}`)
    const token = await agentToken(this.client, installNamespace, { name, uid: metadata?.uid ?? '' })
    writeFileSync(tokenFile, token, { mode: 0o600 })
    const node = new SimulatedNode(this, name, tokenFile)
    if (!agent) return node
    this.nodes.set(name, node)
    await node.start()
    return node
  }

  async removeNode(name: string): Promise<void> {
    const node = this.nodes.get(name)
    this.nodes.delete(name)
    await node?.stop()
    await this.target.removeNode(name)
  }

  node(name: string): SimulatedNode {
    const found = this.nodes.get(name)
    if (found === undefined) throw new Error(`There is no node ${name} with an agent`)
    return found
  }

  /** Creates a separate namespace for each test, in which pods can be created. */
  async namespace(title: string): Promise<string> {
    const name = `${title}-${++this.#namespaces}`
    await this.client.create(namespaces, { metadata: { name } }).catch((error) => {
      if (!isAlreadyExists(error)) throw error
    })
    const account = { name: 'default', namespace: name }
    await eventually('the ServiceAccount', () => this.find(serviceAccounts, account))
    return name
  }

  /** The object; undefined if it does not exist. */
  async find<T extends KubeObject>(
    ref: ResourceRef<T>,
    target: { name: string; namespace?: string },
  ): Promise<T | undefined> {
    try {
      return await this.client.get(ref, target)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.nodes.values()].map((node) => node.stop()))
    await this.stopManager()
    await Promise.all(this.#ending)
    // The system may give one of these ports to the next test file in this process.
    openAgain(this.#deadPorts)
    await Promise.all(this.#connections.map((connection) => connection.close()))
    this.#limiter.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

const print = (fields: object, message: string): void => console.error(message, fields)
const printing: Logger = { debug: () => undefined, info: print, warn: print, error: print }
