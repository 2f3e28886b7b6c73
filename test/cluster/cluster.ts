import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditPolicy, type ServedRequest, servedRequests } from './audit-log.ts'
import { type Binaries, ensureBinaries } from './binaries/build.ts'
import { type ClusterPki, createClusterPki } from './cluster-pki.ts'
import { type CommandOptions, type CommandResult, output, result } from './command.ts'
import * as plane from './control-plane.ts'
import { HttpsClient } from './https-client.ts'
import { kubeconfig, type Login } from './kubeconfig.ts'
import { ManagedProcess } from './managed-process.ts'
import type { Subject } from './pki.ts'
import { PodNetwork } from './pod-network.ts'
import { freePorts } from './ports.ts'
import { abandonedFolders, createRunFolder, folderVariable, type RunFolder } from './run-folder.ts'
import { measured, printSteps, type StepLog } from './steps.ts'
import { sweep } from './sweep.ts'
import { eventually } from './wait.ts'
import { watchOver } from './watchdog.ts'

export interface ClusterOptions {
  /** Real nodes will join (`startNode`), so the API server listens at an address that pods reach. Needs root. */
  nodes?: boolean
  /**
   * An additional address of the API server, for nodes outside of this machine's network: 10.0.2.2 in a QEMU guest
   * reaches this machine's loopback. The API server then calls kubelets by their nodes' names. Do not combine it with
   * `nodes`.
   */
  outsideAddress?: string
  /** Runs kwok, which keeps nodes with its annotation ready (`addFakeNode`). */
  kwok?: boolean
  /** Receives the duration of each step. Default: prints it. */
  log?: StepLog
}

export type ComponentName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok'

/** A Kubernetes control plane on this machine, with its own certificate authority, ports and folder. */
export class Cluster {
  readonly folder: RunFolder
  readonly binaries: Binaries
  readonly pki: ClusterPki
  /** The URL of the API server. */
  readonly server: string
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string
  /** A client of an administrator. */
  readonly client: HttpsClient
  readonly components = new Map<ComponentName, ManagedProcess>()
  readonly network: PodNetwork | undefined
  readonly log: StepLog
  #layout: plane.ControlPlane
  #node: ReturnType<PodNetwork['addNode']> | undefined
  /** Functions that stop other parts before the control plane stops, in reverse order. */
  #attached: (() => Promise<void>)[] = []
  #dismiss: () => void

  private constructor(parts: Parts) {
    this.folder = parts.folder
    this.binaries = parts.layout.binaries
    this.pki = parts.pki
    this.network = parts.network
    this.log = parts.log
    this.#node = parts.firstNode
    this.#layout = parts.layout
    this.#dismiss = parts.dismiss
    this.server = `https://${parts.layout.address}:${parts.layout.ports.api}`
    const { certificate, key } = parts.pki.users.admin
    this.client = new HttpsClient(this.server, { ca: parts.pki.authority.certificate, cert: certificate, key })
    for (const user of ['admin', 'controller-manager', 'scheduler'] as const) {
      this.writeKubeconfig(user, parts.pki.users[user])
    }
    this.kubeconfig = this.#layout.kubeconfig('admin')
  }

  /** @throws if a program is missing, or a server does not become ready; then no process keeps running */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const log = options.log ?? printSteps
    const abandoned = abandonedFolders()
    if (abandoned.length > 0) await measured(log, 'removal of what killed runs left', () => sweepAll(abandoned))
    const cluster = new Cluster(await prepare(await ensureBinaries(log), options, log))
    try {
      await measured(log, 'control plane', () => cluster.#boot(options))
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  component(name: ComponentName): ManagedProcess {
    const found = this.components.get(name)
    if (found === undefined) throw new Error(`this cluster has no ${name}`)
    return found
  }

  /** The URL of the API server for nodes outside of this machine's network. */
  get outsideServer(): string {
    const { outsideAddress, ports } = this.#layout
    if (outsideAddress === undefined) throw new Error('this cluster was started without `outsideAddress`')
    return `https://${outsideAddress}:${ports.api}`
  }

  /** A kubeconfig for a node outside of this machine's network. */
  outsideKubeconfig(login: Login): string {
    return kubeconfig(this.outsideServer, this.ca, login)
  }

  /** Folder of the logs of all processes, one file per process. */
  get logs(): string {
    return join(this.folder.path, 'logs')
  }

  /** Requests of service accounts to the API server, except those of Kubernetes' own accounts. */
  servedRequests(): ServedRequest[] {
    return servedRequests(this.#layout.audit.log)
  }

  get ca(): string {
    return this.pki.authority.certificate
  }

  /**
   * Writes a kubeconfig into the cluster's folder.
   * @returns the path of the kubeconfig
   */
  writeKubeconfig(user: string, login: Login): string {
    const path = this.#layout.kubeconfig(user)
    writeFileSync(path, kubeconfig(this.server, this.ca, login), { mode: 0o600 })
    return path
  }

  /** A client with its own certificate: `{ name: 'jane', organization: 'developers' }`. The caller closes it. */
  async clientOf(subject: Omit<Subject, 'use'>): Promise<HttpsClient> {
    const { certificate, key } = await this.pki.authority.issue({ ...subject, use: 'client' })
    return new HttpsClient(this.server, { ca: this.ca, cert: certificate, key })
  }

  /**
   * The output of kubectl, run as an administrator.
   * @throws if it fails
   */
  kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return output(this.binaries.kubectl, ['--kubeconfig', this.kubeconfig, ...args], options)
  }

  /** Runs kubectl as an administrator, whatever its exit status. */
  tryKubectl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return result(this.binaries.kubectl, ['--kubeconfig', this.kubeconfig, ...args], options)
  }

  /** The network of the next real node; the first node shares the API server's network. */
  async nextNode(): ReturnType<PodNetwork['addNode']> {
    if (this.network === undefined) throw new Error('this cluster was started without `nodes: true`')
    const first = this.#node
    this.#node = undefined
    return first ?? this.network.addNode()
  }

  /** Makes `stop` also call `end`. */
  attach(end: () => Promise<void>): void {
    this.#attached.push(end)
  }

  /** Adds a node that kwok keeps ready; kwok reports the node's pods as running. */
  async addFakeNode(name: string): Promise<void> {
    const [annotation, value] = plane.fakeNodeAnnotation.split('=') as [string, string]
    const capacity = { cpu: '64', memory: '256Gi', pods: '1000' }
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, annotations: { [annotation]: value }, labels: { 'kubernetes.io/hostname': name } },
      status: { capacity, allocatable: capacity },
    }
    await this.kubectl(['create', '-f', '-'], { input: JSON.stringify(node) })
    await this.nodeReady(name)
  }

  /** @param limit milliseconds */
  async nodeReady(name: string, limit?: number): Promise<void> {
    const path = '{.status.conditions[?(@.type=="Ready")].status}'
    const get = ['get', 'node', name, '-o', `jsonpath=${path}`]
    await eventually(`node ${name} to be ready`, async () => (await this.kubectl(get)) === 'True', limit)
  }

  /**
   * Makes etcd forget every state but the newest. The API server still answers a watch from its memory, so restart it
   * after this call; then every older resource version is 410 Gone.
   */
  async compact(): Promise<void> {
    const post = async (path: string, body: object): Promise<{ header?: { revision?: string } }> => {
      const url = `${plane.etcdUrl(this.#layout)}${path}`
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
      if (answer.ok) return (await answer.json()) as { header?: { revision?: string } }
      const text = await answer.text()
      // Nothing has changed since the last compaction.
      if (text.includes('required revision has been compacted')) return {}
      throw new Error(`etcd ${path}: ${answer.status} ${text}`)
    }
    const { header } = await post('/v3/kv/range', { key: Buffer.from('\0').toString('base64'), limit: 1 })
    await post('/v3/kv/compaction', { revision: header?.revision, physical: true })
  }

  /** Stops all processes and removes the cluster's folder. */
  async stop(): Promise<void> {
    for (const end of this.#attached.splice(0).reverse()) await end()
    await this.client.close()
    // Stops in reverse order, because each component is a client of the component before it.
    for (const component of [...this.components.values()].reverse()) await component.stop()
    await sweep(this.folder)
    this.#dismiss()
  }

  async #boot({ kwok = false }: ClusterOptions): Promise<void> {
    const { log } = this
    const layout = this.#layout
    // The API server itself waits for etcd.
    await this.#launch(
      'etcd',
      plane.etcdCommand(layout),
      async () => (await fetch(`${plane.etcdUrl(layout)}/health`)).ok,
    )
    const ready = async (): Promise<boolean> => (await this.client.call('GET', '/readyz')).status === 200
    await this.#launch('kube-apiserver', plane.apiServerCommand(layout), ready)
    await measured(log, '  kube-apiserver ready', () => this.component('kube-apiserver').ready())
    const healthy = (port: number) => () => this.#healthy(port)
    const { controllerManager, scheduler } = layout.ports
    await this.#launch('kube-controller-manager', plane.controllerManagerCommand(layout), healthy(controllerManager))
    await this.#launch('kube-scheduler', plane.schedulerCommand(layout), healthy(scheduler))
    const kwokServes = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${layout.ports.kwok}/healthz`)).ok
    if (kwok) await this.#launch('kwok', plane.kwokCommand(layout), kwokServes)
    await measured(log, '  all components serve', () =>
      Promise.all([...this.components.values()].map((component) => component.ready())),
    )
    // No pod can be created before this account exists.
    const account = '/api/v1/namespaces/default/serviceaccounts/default'
    await measured(log, '  first ServiceAccount', () =>
      eventually('the first ServiceAccount', async () => (await this.client.call('GET', account)).status === 200),
    )
  }

  async #healthy(port: number): Promise<boolean> {
    const client = new HttpsClient(`https://127.0.0.1:${port}`, { ca: this.ca })
    try {
      return (await client.call('GET', '/healthz')).status === 200
    } finally {
      await client.close()
    }
  }

  async #launch(name: ComponentName, command: string[], serves: () => Promise<boolean>): Promise<void> {
    const env = { [folderVariable]: this.folder.path }
    const component = new ManagedProcess({ name, command, logs: this.logs, env, serves })
    this.components.set(name, component)
    await component.start()
  }
}

interface Parts {
  folder: RunFolder
  layout: plane.ControlPlane
  pki: ClusterPki
  network: PodNetwork | undefined
  firstNode: ReturnType<PodNetwork['addNode']> | undefined
  log: StepLog
  dismiss: () => void
}

async function prepare(binaries: Binaries, options: ClusterOptions, log: StepLog): Promise<Parts> {
  const folder = createRunFolder()
  const dismiss = watchOver(folder)
  const network = options.nodes ? new PodNetwork(folder) : undefined
  const firstNode = network?.addNode()
  const address = (await firstNode)?.address ?? '127.0.0.1'
  const { outsideAddress } = options
  const addresses = [address, ...(outsideAddress === undefined ? [] : [outsideAddress])]
  const pki = await measured(log, 'certificates', () => createClusterPki(join(folder.path, 'pki'), ...addresses))
  const [etcd, peer, api, controllerManager, scheduler, kwok] = (await freePorts(6)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const layout: plane.ControlPlane = {
    binaries,
    data: join(folder.path, 'etcd'),
    audit: { policy: join(folder.path, 'audit-policy.json'), log: join(folder.path, 'audit.log') },
    pki: (file) => join(folder.path, 'pki', file),
    kubeconfig: (user) => join(folder.path, `${user}.kubeconfig`),
    admission: join(folder.path, 'admission.json'),
    address,
    outsideAddress,
    ports: { etcd, peer, api, controllerManager, scheduler, kwok },
  }
  writeFileSync(layout.audit.policy, JSON.stringify(auditPolicy))
  const webhooks = layout.kubeconfig('webhooks')
  const user = {
    'client-certificate': layout.pki('webhook-client.crt'),
    'client-key': layout.pki('webhook-client.key'),
  }
  writeFileSync(webhooks, JSON.stringify({ apiVersion: 'v1', kind: 'Config', users: [{ name: '*', user }] }))
  writeFileSync(layout.admission, JSON.stringify(plane.admissionConfiguration(webhooks)))
  return { folder, layout, pki, network, firstNode, log, dismiss }
}

/** Warns if a folder cannot be removed, for example another user's folder, and continues. */
async function sweepAll(folders: readonly RunFolder[]): Promise<void> {
  for (const folder of folders) {
    await sweep(folder).catch((error: Error) => console.warn(`${folder.path} stays: ${error.message}`))
  }
}

/**
 * Starts a control plane.
 * @throws if a program is missing, or a server does not become ready
 */
export const startCluster = (options: ClusterOptions = {}): Promise<Cluster> => Cluster.start(options)
