import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent } from '../agent/agent.ts'
import { ManagerTransport } from '../agent/cluster/manager-transport.ts'
import type { Logger } from '../base/logger.ts'
import { ApiClient } from '../kube/client.ts'
import { KubeConnection } from '../kube/connection.ts'
import { configMaps } from '../kube/core-objects.ts'
import { PriorityLimiter, unlimited } from '../kube/limiter.ts'
import { certificateName } from '../manager/certificates.ts'
import { nodes } from '../manager/cluster-resources.ts'
import { Manager } from '../manager/manager.ts'
import type { ManagerOptions } from '../manager/options.ts'
import { compileHere } from '../profile/profile-source.ts'
import { kubeconfig, tokenKubeconfig } from './api-server/http/kubeconfig.ts'
import {
  type RunningApiServer,
  type Snapshot,
  type StartOptions,
  startApiServer,
} from './api-server/start-api-server.ts'
import { type RunningControllers, startControllers } from './controllers/start-controllers.ts'
import { agentToken, install } from './install.ts'
import { FakeNodes } from './nodes/fake-nodes.ts'
import { RecordingRuntime } from './nodes/recording-runtime.ts'
import { outsideKubelets, registeredNode } from './outside-nodes.ts'
import { type RecordingLoaders, recordingLoaders } from './recording-loader.ts'
import { sandboxClock } from './sandbox-clock.ts'

export interface SandboxOptions {
  /** Number of simulated nodes, named `node-1` and so on. 0 means that the sandbox has only outside nodes. */
  nodes: number
  /**
   * A further address of this machine, at which outside nodes reach the API server and the manager: 10.0.2.2 for a QEMU
   * guest, whose user network maps this address to our loopback address.
   */
  outsideAddress?: string
  /** Port of the API server; 0 means any free port. */
  port?: number
  /**
   * Folder that keeps the objects, the port and the kubeconfig between runs. If the folder is missing, it is created.
   */
  data?: string
  logger: Logger
  manager?: Partial<ManagerOptions>
  api?: StartOptions
}

/** The credentials of the agent of an outside node. */
export interface OutsideAgent {
  kubeconfig: string
  /** Token for requests to the manager, bound to the node. */
  token: string
  manager: string
  /** The authority that signed the manager's certificate, in PEM. */
  managerAuthority: string
}

/** vArmor's namespace in a sandbox. */
export const sandboxNamespace = 'varmor'

/** Milliseconds between two writes to `data`. */
const saveEvery = 5_000

export interface SandboxNode {
  name: string
  agent: Agent
  loaders: RecordingLoaders
  transport: ManagerTransport
  connection: KubeConnection
}

/**
 * An API server, a manager and nodes in one process: a cluster on a laptop. No profile is enforced, because the sandbox
 * has no kernel of its own.
 */
export class Sandbox {
  readonly api: RunningApiServer
  readonly runtime: RecordingRuntime
  readonly nodes: SandboxNode[] = []
  readonly #options: SandboxOptions
  /** Folder for the kubeconfig and the agents' files. */
  readonly #folder: string
  #manager: Manager | undefined
  readonly #limiter = new PriorityLimiter({ qps: 1_000, burst: 1_000 })
  #client: ApiClient | undefined
  #controllers: RunningControllers | undefined
  #kubelets: FakeNodes | undefined
  #connections: KubeConnection[] = []
  #saving: NodeJS.Timeout | undefined
  #saved = ''

  private constructor(options: SandboxOptions, api: RunningApiServer, runtime: RecordingRuntime) {
    this.#options = options
    this.api = api
    this.#folder = options.data ?? mkdtempSync(join(tmpdir(), 'varmor-sandbox-'))
    this.runtime = runtime
  }

  /** Resolves when the sandbox is ready: from then on, a policy from `kubectl apply` is loaded on all nodes. */
  static async start(options: SandboxOptions): Promise<Sandbox> {
    const { data, outsideAddress } = options
    if (data !== undefined) await mkdir(data, { recursive: true, mode: 0o700 })
    const restore = data && (await kept(snapshotPath(data), (text) => JSON.parse(text) as Snapshot))
    const port = options.port ?? (data ? await kept(kubeconfigIn(data), portIn) : undefined)
    const runtime = new RecordingRuntime({ clock: sandboxClock })
    const addresses = [...(options.api?.addresses ?? []), ...(outsideAddress === undefined ? [] : [outsideAddress])]
    const api: RunningApiServer = await startApiServer({
      nodes: outsideKubelets(() => api),
      ...options.api,
      addresses,
      ...(port !== undefined && { port }),
      ...(restore && { restore }),
    }).catch((error: unknown) => {
      throw portError(error, port)
    })
    const sandbox = new Sandbox(options, api, runtime)
    try {
      await sandbox.#start()
      return sandbox
    } catch (error) {
      await sandbox.stop()
      throw error
    }
  }

  get manager(): Manager {
    if (this.#manager === undefined) throw new Error('The manager of the sandbox is stopped')
    return this.#manager
  }

  /** A client with an administrator's rights. */
  get client(): ApiClient {
    this.#client ??= new ApiClient({ connection: this.#connect(), limiter: this.#limiter })
    return this.#client
  }

  /** The path of the file for `kubectl --kubeconfig`. */
  get kubeconfigPath(): string {
    return kubeconfigIn(this.#folder)
  }

  async #start(): Promise<void> {
    await writeFile(this.kubeconfigPath, this.api.kubeconfig, { mode: 0o600 })
    await install(this.client, sandboxNamespace)
    const failed = (what: string, err: unknown): void =>
      this.#options.logger.warn({ err, job: what }, 'work of the sandbox failed; retrying')
    const client = new ApiClient({ connection: this.#connect(), limiter: unlimited })
    const ports = { client, clock: sandboxClock, random: Math.random, failed }
    this.#controllers = startControllers(ports)
    await this.#controllers.synced()
    const names = Array.from({ length: this.#options.nodes }, (_, i) => `node-${i + 1}`)
    if (names.length > 0)
      this.#kubelets = await FakeNodes.start({
        ...{ ...ports, runtime: this.runtime },
        nodes: names.map((name) => ({ name })),
      })
    await this.startManager()
    await Promise.all(names.map((name) => this.#addNode(name)))
    if (this.#options.data !== undefined) {
      await this.#save()
      this.#saving = setInterval(() => void this.#save().catch((err) => this.#cannotSave(err)), saveEvery)
    }
  }

  /** Starts the manager again after `stopManager`. */
  async startManager(): Promise<void> {
    const { logger, manager, outsideAddress } = this.#options
    this.#manager = new Manager({
      connection: this.#connect(),
      namespace: sandboxNamespace,
      identity: 'sandbox',
      logger,
      listen: { host: '127.0.0.1', ports: { webhook: 0, status: 0 }, metrics: { port: 0 } },
      reach: {
        names: ['127.0.0.1', 'localhost', ...(outsideAddress === undefined ? [] : [outsideAddress])],
        webhooks: (port) => ({ url: `https://127.0.0.1:${port}` }),
      },
      ...manager,
      // Set the manager's user here, because this server does not have SelfSubjectReview.
      admission: { profileWriters: ['kubernetes-admin'], ...manager?.admission },
    })
    await this.#manager.start()
    await writeFile(this.#caFile, await this.#managerAuthority())
  }

  async stopManager(): Promise<void> {
    await this.#manager?.stop()
    this.#manager = undefined
  }

  async stop(): Promise<void> {
    clearInterval(this.#saving)
    await Promise.all(this.nodes.map(({ agent }) => agent.stop()))
    await Promise.all(this.nodes.map(({ transport }) => transport.close()))
    await this.stopManager()
    this.#kubelets?.stop()
    this.#controllers?.stop()
    if (this.#options.data !== undefined) await this.#save().catch((err: unknown) => this.#cannotSave(err))
    await Promise.all(this.#connections.map((connection) => connection.close()))
    this.#limiter.close()
    await this.api.close()
    if (this.#options.data === undefined) rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Creates the credentials of an outside kubelet. It may connect at any time, and repeatedly. */
  async admitNode(name: string): Promise<{ kubeconfig: string }> {
    const identity = await this.api.authority.node(name, sandboxClock.wall())
    return { kubeconfig: kubeconfig(this.#outside(this.api.url), this.api.caPem, identity, `system:node:${name}`) }
  }

  /** Creates the credentials of an outside agent. Resolves when its node is registered. */
  async admitAgent(name: string, signal?: AbortSignal): Promise<OutsideAgent> {
    const uid = await registeredNode(this.client, name, signal)
    const token = await agentToken(this.client, sandboxNamespace, { name, uid })
    return {
      token,
      kubeconfig: tokenKubeconfig(this.#outside(this.api.url), this.api.caPem, token, 'varmor-agent'),
      manager: this.#outside(`https://127.0.0.1:${this.manager.ports.status}`),
      managerAuthority: await this.#managerAuthority(),
    }
  }

  /** The given URL of this process, as outside nodes reach it. */
  #outside(url: string): string {
    const { outsideAddress } = this.#options
    if (outsideAddress === undefined) return url
    return `https://${outsideAddress}:${new URL(url).port}`
  }

  #connect(): KubeConnection {
    const config = new KubeConfig()
    config.loadFromString(this.api.kubeconfig)
    const connection = new KubeConnection(config)
    this.#connections.push(connection)
    return connection
  }

  async #addNode(name: string): Promise<void> {
    const { metadata } = await this.client.get(nodes, { name })
    const token = await agentToken(this.client, sandboxNamespace, { name, uid: metadata?.uid ?? '' })
    const tokenFile = join(this.#folder, `token-${name}`)
    await writeFile(tokenFile, token, { mode: 0o600 })
    const transport = new ManagerTransport({ authority: this.#caFile, tokenFile })
    const loaders = recordingLoaders()
    const connection = this.#connect()
    const agent = new Agent({
      connection,
      node: name,
      loaders,
      compile: compileHere(),
      managers: [`https://127.0.0.1:${this.manager.ports.status}`],
      // A restarted manager has another port, so look it up for each report.
      send: (_url, report, signal) =>
        transport.send(`https://127.0.0.1:${this.#manager?.ports.status ?? 0}`, report, signal),
      logger: this.#options.logger,
    })
    this.nodes.push({ name, agent, loaders, transport, connection })
    await agent.start()
  }

  get #caFile(): string {
    return join(this.#folder, 'manager-ca.crt')
  }

  async #managerAuthority(): Promise<string> {
    const { data } = await this.client.get(configMaps, { name: `${certificateName}-ca`, namespace: sandboxNamespace })
    return data?.['ca.crt'] ?? ''
  }

  async #save(): Promise<void> {
    const { data } = this.#options
    if (data === undefined) return
    const text = JSON.stringify(this.api.snapshot())
    if (text === this.#saved) return
    const path = snapshotPath(data)
    // Restrict the mode, because the file contains the keys of the certificate authority.
    await writeFile(`${path}.new`, text, { mode: 0o600 })
    await rename(`${path}.new`, path)
    this.#saved = text
  }

  #cannotSave(err: unknown): void {
    this.#options.logger.error({ err, folder: this.#options.data }, 'cannot save the objects; retrying')
  }
}

function portError(error: unknown, port: number | undefined): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return error
  const why = code === 'EACCES' ? 'needs more privileges' : 'is taken: perhaps this sandbox runs already'
  return Object.assign(new Error(`port ${port} ${why}; choose another port with --port`, { cause: error }), { code })
}

const kubeconfigIn = (folder: string): string => join(folder, 'kubeconfig')
const snapshotPath = (folder: string): string => join(folder, 'objects.json')

/** The data of the last run; undefined if no data is stored. */
async function kept<T>(path: string, read: (text: string) => T): Promise<T | undefined> {
  try {
    return read(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${path} is not the saved state of a sandbox; remove the file to start without saved objects`, {
      cause: error,
    })
  }
}

/** The port in a stored kubeconfig. The server uses it again, so that copies of the kubeconfig stay valid. */
function portIn(text: string): number {
  const config = new KubeConfig()
  config.loadFromString(text)
  return Number(new URL(config.getCurrentCluster()?.server ?? '').port)
}
