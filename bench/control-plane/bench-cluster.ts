import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { isAlreadyExists } from '../../src/kube/api-error.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { configMaps, namespaces } from '../../src/kube/core-objects.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { armorProfiles, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { agentToken, install } from '../../src/sandbox/install.ts'
import { type Cluster, startCluster } from '../../test/cluster/cluster.ts'
import { freePorts } from '../../test/cluster/ports.ts'
import { fakeNode, NAMESPACES, namespaceOf } from './cluster-objects.ts'
import { Fleet } from './fleet.ts'
import { Followed } from './followed.ts'
import { inParallel } from './in-parallel.ts'
import { Managed } from './managed.ts'
import type { ManagerSettings } from './manager-child.ts'
import { processCost } from './process-cost.ts'

export const installNamespace = 'varmor'

/** A Kubernetes cluster on this machine with vArmor's CRDs, and the observers of the measurement. */
export class BenchCluster {
  readonly cluster: Cluster
  readonly client: ApiClient
  readonly policies: Followed<VarmorPolicy & KubeObject>
  readonly profiles: Awaited<ReturnType<typeof followProfiles>>
  #nodes: string[] = []
  #managers = 0
  #webhook: number | undefined

  private constructor(
    cluster: Cluster,
    client: ApiClient,
    policies: BenchCluster['policies'],
    profiles: BenchCluster['profiles'],
  ) {
    this.cluster = cluster
    this.client = client
    this.policies = policies
    this.profiles = profiles
  }

  /** @param bring installs the CRDs and the namespace */
  static async start(
    bring: (cluster: Cluster, client: ApiClient) => Promise<void> = (_, client) => install(client, installNamespace),
  ): Promise<BenchCluster> {
    const cluster = await startCluster({ kwok: true, log: () => undefined })
    const config = new KubeConfig()
    config.loadFromFile(cluster.kubeconfig)
    const client = new ApiClient({ connection: new KubeConnection(config), limiter: unlimited })
    await bring(cluster, client)
    const names = Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i))
    await inParallel(names, 16, (name) => client.create(namespaces, { metadata: { name } }))
    return new BenchCluster(cluster, client, await Followed.start(client, varmorPolicies), await followProfiles(client))
  }

  /** CPU seconds of the API server and etcd. */
  get serverCpu(): number {
    return (['kube-apiserver', 'etcd'] as const).reduce(
      (all, name) => all + processCost(this.cluster.component(name).pid!).cpu,
      0,
    )
  }

  async startManager(options: ManagerSettings['options'], flags: readonly string[] = []): Promise<Managed> {
    const { kubeconfig, logs } = this.cluster
    const log = join(logs, `manager-${++this.#managers}.log`)
    // The port stays the same; otherwise each manager would rewrite the webhook configurations.
    this.#webhook ??= (await freePorts(1))[0]!
    return Managed.start({ kubeconfig, namespace: installNamespace, webhook: this.#webhook, options }, log, flags)
  }

  async addNodes(count: number): Promise<void> {
    const have = this.#nodes.length
    const names = Array.from({ length: Math.max(0, count - have) }, (_, i) => `kwok-${have + i}`)
    await inParallel(names, 16, (name) => this.client.create(nodes, fakeNode(name)))
    this.#nodes.push(...names)
  }

  /** Agents of all nodes. */
  async startFleet(manager: Managed, loading = 0): Promise<Fleet> {
    const { client } = this
    const tokens: [string, string][] = []
    const uids = new Map<string, string>()
    for await (const { items } of client.listPages(nodes))
      for (const { metadata } of items) uids.set(metadata!.name!, metadata!.uid!)
    await inParallel(this.#nodes, 16, async (name) => {
      tokens.push([name, await agentToken(client, installNamespace, { name, uid: uids.get(name)! })])
    })
    const { data } = await client.get(configMaps, { name: 'varmor-manager-tls-ca', namespace: installNamespace })
    const { kubeconfig, logs } = this.cluster
    const settings = { kubeconfig, manager: manager.statusUrl, ca: data!['ca.crt']!, tokens, loading, single: false }
    return Fleet.start(settings, join(logs, 'fleet.log'))
  }

  /** Applies many objects at once, like `kubectl apply --server-side`. */
  apply(policies: readonly (VarmorPolicy & KubeObject)[]): Promise<void> {
    return inParallel(policies, 32, (policy) =>
      this.client.apply(varmorPolicies, policy, { fieldManager: 'bench', force: true }),
    )
  }

  async deletePolicies(): Promise<void> {
    await inParallel(this.policies.all, 32, ({ metadata }) =>
      this.client.delete(varmorPolicies, { name: metadata.name!, namespace: metadata.namespace! }),
    )
  }

  /** Waits until no policy is left. */
  async gone(limit: number): Promise<void> {
    await this.policies.until('the deletion of all policies', (all) => all.length === 0, limit)
    await this.profiles.until('the deletion of all ArmorProfiles', (all) => all.length === 0, limit)
  }

  async create(ref: Parameters<ApiClient['create']>[0], objects: readonly KubeObject[]): Promise<void> {
    await inParallel(objects, 16, (object) =>
      this.client.create(ref, object).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error
      }),
    )
  }

  async stop(): Promise<void> {
    await this.policies.stop()
    await this.profiles.stop()
    await this.client.close()
    await this.cluster.stop()
  }
}

const followProfiles = (client: ApiClient) => Followed.start(client, armorProfiles)
