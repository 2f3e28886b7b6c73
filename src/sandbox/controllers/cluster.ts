import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { ApiError, isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import { compareVersions, type KubeObject, keyOf, type ResourceRef } from '../../kube/objects.ts'
import { clientSource, Reflector } from '../../kube/reflector.ts'
import type { DeleteOptions, ListOptions } from '../../kube/requests.ts'
import { type IndexFunction, type StoreView, withoutManagedFields } from '../../kube/store.ts'
import { WorkQueue } from '../work-queue.ts'
import {
  type Condition,
  type DaemonSet,
  type Deployment,
  daemonSets,
  deployments,
  leaseNamespace,
  leases,
  type Metadata,
  type Node,
  type NodeLease,
  nodes,
  type Pod,
  pods,
  type ReplicaSet,
  replicaSets,
  type StatefulSet,
  statefulSets,
} from './objects.ts'

/** The services that all controllers use. */
export interface Ports {
  readonly client: ApiClient
  readonly clock: Clock
  readonly random: Random
  /** Called with a failure. The controller tries the work again. */
  failed(what: string, error: unknown): void
}

/**
 * Milliseconds after which a key may run again even if the copies do not show the writes of its last run: the written
 * objects may already be deleted.
 */
const timeout = 10_000

/** An up-to-date copy of all objects of a kind on the server. */
export class Copy<T extends KubeObject> {
  readonly store: StoreView<T>
  readonly #reflector: Reflector<T>
  readonly #clock: Clock
  #waiters = new Set<() => void>()

  constructor(
    { client, clock, random, failed }: Ports,
    ref: ResourceRef<T>,
    indexes: Readonly<Record<string, IndexFunction<T>>> = {},
    which: Pick<ListOptions, 'namespace' | 'fieldSelector'> = {},
  ) {
    this.#clock = clock
    this.#reflector = new Reflector<T>({
      ...{ source: clientSource(client, ref, which), clock, random, indexes, transform: withoutManagedFields },
      observer: {
        failed: (error) => failed(`watch ${ref.plural}`, error),
        handlerFailed: (_handler, { key }, error) => failed(`handle a change of ${ref.plural} ${key}`, error),
        listed: () => this.#wake(),
      },
    })
    this.store = this.#reflector.store
    this.#reflector.subscribe({ name: 'versions', mode: 'edge', handle: () => this.#wake() })
  }

  /**
   * Adds a handler for existing objects and for each change. `before` is undefined for a new object, and `after` for an
   * object that is gone.
   */
  onChange(handle: (after: T | undefined, before: T | undefined) => void): void {
    this.#reflector.subscribe({
      name: 'controllers',
      handle: (change) => {
        if (change.type === 'deleted') handle(undefined, change.object)
        else handle(change.object, change.type === 'updated' ? change.old : undefined)
      },
    })
  }

  start(): void {
    this.#reflector.start()
  }

  async stop(): Promise<void> {
    await this.#reflector.stop()
    this.#wake()
  }

  /** Resolves when the copy is complete. */
  async synced(): Promise<void> {
    await this.#reflector.synced
  }

  /** Resolves when the copy has this version or a newer version, or was stopped. */
  async reached(version: string): Promise<void> {
    let isLate = false
    const limit = this.#clock.after(timeout, () => {
      isLate = true
      this.#wake()
    })
    while (!isLate && this.#reflector.state !== 'stopped' && compareVersions(this.#version, version) < 0)
      await new Promise<void>((wake) => this.#waiters.add(wake))
    limit.cancel()
  }

  get #version(): string {
    return this.#reflector.resourceVersion ?? '0'
  }

  #wake(): void {
    if (this.#waiters.size === 0) return
    const woken = this.#waiters
    this.#waiters = new Set()
    for (const wake of woken) wake()
  }
}

/** An index of controlled objects by the uid of their controller. */
const byOwner = ({ metadata }: KubeObject): string[] =>
  (metadata?.ownerReferences ?? []).filter(({ controller }) => controller).map(({ uid }) => uid)

/** The owner that controls an object; there is at most one. */
export const controllerOf = ({ metadata }: KubeObject) =>
  metadata?.ownerReferences?.find(({ controller }) => controller)

/** The cluster as controllers see it: a copy of each kind, which all controllers share. */
export class Cluster {
  readonly pods: Copy<Pod>
  readonly nodes: Copy<Node>
  readonly deployments: Copy<Deployment>
  readonly replicaSets: Copy<ReplicaSet>
  readonly statefulSets: Copy<StatefulSet>
  readonly daemonSets: Copy<DaemonSet>
  readonly leases: Copy<NodeLease>
  readonly ports: Ports
  readonly #copies: ReadonlyMap<string, Copy<never>>
  #stopped = false

  constructor(ports: Ports) {
    this.ports = ports
    this.pods = new Copy(ports, pods, { owner: byOwner, node: ({ spec }) => [spec.nodeName ?? ''] })
    this.nodes = new Copy(ports, nodes)
    this.deployments = new Copy(ports, deployments)
    this.replicaSets = new Copy(ports, replicaSets, { owner: byOwner })
    this.statefulSets = new Copy(ports, statefulSets)
    this.daemonSets = new Copy(ports, daemonSets)
    this.leases = new Copy(ports, leases, {}, { namespace: leaseNamespace })
    const all = { pods, nodes, deployments, replicaSets, statefulSets, daemonSets, leases }
    this.#copies = new Map(
      Object.keys(all).map((name) => [name.toLowerCase(), this[name as keyof typeof all] as never]),
    )
  }

  get now(): number {
    return this.ports.clock.now()
  }

  start(): void {
    for (const copy of this.#copies.values()) copy.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(Array.from(this.#copies.values(), (copy) => copy.stop()))
  }

  async synced(): Promise<void> {
    for (const copy of this.#copies.values()) await copy.synced()
  }

  podsOf(owner: { metadata: Metadata }): Pod[] {
    return [...this.pods.store.byIndex('owner', owner.metadata.uid)]
  }

  podsOn(node: string): Pod[] {
    return [...this.pods.store.byIndex('node', node)]
  }

  copyOf({ plural }: ResourceRef): Copy<never> | undefined {
    return this.#copies.get(plural)
  }

  /**
   * A queue for a controller. A key runs again only when the copies show the writes of its last run, so that a run
   * never uses a state older than its own writes.
   */
  queue(name: string, work: (key: string, writes: Writes) => Promise<void>): WorkQueue {
    const { clock, random, failed } = this.ports
    return new WorkQueue({
      ...{ clock, random, concurrency: 16 },
      work: async (key) => {
        // Wait until the copies are complete: before that, a controller would treat unknown objects as missing.
        await this.synced()
        if (this.#stopped) return
        const writes = new Writes(this)
        try {
          await work(key, writes)
        } finally {
          await writes.seen()
        }
      },
      failed: (key, error, failures) => {
        if (!this.#stopped && !isUsual(error, failures)) failed(`${name} ${key}`, error)
      },
    })
  }

  /** A queue for a kind that has pods. An object's work runs when the object changes, and when its pods change. */
  workloadQueue<T extends { metadata: Metadata }>(
    ref: ResourceRef<T & KubeObject>,
    work: (object: T, writes: Writes, later: (delay: number) => void) => Promise<void>,
  ): WorkQueue {
    const copy = this.copyOf(ref) as unknown as Copy<T & KubeObject>
    const queue: WorkQueue = this.queue(ref.kind, async (key, writes) => {
      const object = copy.store.get(key)
      if (object && !object.metadata.deletionTimestamp)
        await work(object, writes, (delay) => queue.addAfter(key, delay))
    })
    copy.onChange((after, before) => queue.add(keyOf((after ?? before)!)))
    this.pods.onChange((after, before) => {
      for (const pod of [before, after]) {
        const owner = pod && controllerOf(pod)
        if (owner?.kind === ref.kind) queue.add(`${pod!.metadata.namespace}/${owner.name}`)
      }
    })
    return queue
  }
}

/**
 * Whether the failure is usual: another client wrote or deleted the object earlier, which the next run sees, or the
 * namespace is terminating.
 */
function isUsual(error: unknown, failures: number): boolean {
  if (!(error instanceof ApiError)) return false
  const isGoing = (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  return isGoing || ([404, 409].includes(error.code) && failures <= 5)
}

/** The writes of one run. */
export class Writes {
  readonly #cluster: Cluster
  readonly #newest = new Map<ResourceRef, string>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  create<T extends KubeObject>(ref: ResourceRef<T>, object: object): Promise<T> {
    return this.#note(ref, this.#client.create(ref, object as T))
  }

  update<T extends KubeObject>(ref: ResourceRef<T>, object: T): Promise<T> {
    return this.#note(ref, this.#client.update(ref, object))
  }

  /** Writes a status, unless it is unchanged. */
  async status<T extends KubeObject & { status?: unknown }>(
    ref: ResourceRef<T>,
    object: T,
    status: object,
  ): Promise<void> {
    if (!isDeepStrictEqual(status, object.status ?? {}))
      await this.#note(ref, this.#client.updateStatus(ref, { ...object, status }))
  }

  /** Sets conditions of a pod or node. The server merges conditions by type. */
  async conditions<T extends KubeObject>(
    ref: ResourceRef<T>,
    object: T,
    conditions: readonly Condition[],
  ): Promise<void> {
    const { name = '', namespace, uid } = object.metadata ?? {}
    const patch = { metadata: { uid }, status: { conditions } }
    const target = { name, ...(ref.namespaced && { namespace }) }
    await this.#note(ref, this.#client.patch(ref, target, { type: 'strategic', patch }, { subresource: 'status' }))
  }

  /** Deletes an object. A missing object counts as deleted. */
  async delete<T extends KubeObject>(ref: ResourceRef<T>, { metadata }: T, options: DeleteOptions = {}): Promise<void> {
    const { name = '', namespace, uid = '' } = metadata ?? {}
    try {
      await this.#note(ref, this.#client.delete(ref, { name, namespace }, { preconditions: { uid }, ...options }))
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  /** Resolves when the copies show all writes. */
  async seen(): Promise<void> {
    for (const [ref, version] of this.#newest) await this.#cluster.copyOf(ref)?.reached(version)
  }

  get #client(): ApiClient {
    return this.#cluster.ports.client
  }

  async #note<T>(ref: ResourceRef, write: Promise<T>): Promise<T> {
    const written = await write
    const version = (written as KubeObject).metadata?.resourceVersion
    const known = this.#newest.get(ref) ?? '0'
    if (version && compareVersions(version, known) > 0) this.#newest.set(ref, version)
    return written
  }
}
