import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { KubeObject } from '../api-server/kube-object.ts'
import type { ClusterClient } from './cluster-client.ts'
import { Informer } from './informer.ts'
import { controllerOf } from './ownership.ts'
import type { Resource } from './resources.ts'
import * as resources from './resources.ts'

/** Index of what has a controller by the controller's uid, and of what has none by `orphans/<namespace>`. */
export const BY_CONTROLLER = 'controller'
/** Index of pods by the name of their node; without one, the empty name. */
export const BY_NODE = 'node'

/** Index of owners, so that an object without one is compared only with those of its namespace. */
export const BY_NAMESPACE = 'namespace'

export const orphansOf = (namespace: string | undefined): string => `orphans/${namespace ?? ''}`

export interface InformersOptions {
  readonly client: ClusterClient
  readonly clock: Clock
  readonly random: Random
  readonly failed: (what: string, error: unknown) => void
}

/** One copy of each resource, shared by all controllers. */
export class Informers {
  readonly pods
  readonly nodes
  readonly deployments
  readonly replicaSets
  readonly statefulSets
  readonly daemonSets
  readonly controllerRevisions
  readonly jobs
  readonly leases
  /** Whether the copies have stopped to follow. */
  stopped = false
  private readonly all = new Map<string, Informer<KubeObject>>()
  private readonly options: InformersOptions

  constructor(options: InformersOptions) {
    this.options = options
    this.pods = this.add(resources.pods)
    this.nodes = this.add(resources.nodes)
    this.deployments = this.add(resources.deployments)
    this.replicaSets = this.add(resources.replicaSets)
    this.statefulSets = this.add(resources.statefulSets)
    this.daemonSets = this.add(resources.daemonSets)
    this.controllerRevisions = this.add(resources.controllerRevisions)
    this.jobs = this.add(resources.jobs)
    this.leases = this.add(resources.leases)
    this.pods.store.addIndex(BY_NODE, (pod) => [pod.spec.nodeName ?? ''])
    for (const informer of [this.deployments, this.replicaSets, this.statefulSets, this.daemonSets, this.jobs])
      informer.store.addIndex(BY_NAMESPACE, ({ metadata }: KubeObject) => [metadata.namespace ?? ''])
    for (const informer of [this.pods, this.replicaSets, this.controllerRevisions])
      informer.store.addIndex(BY_CONTROLLER, ({ metadata }: KubeObject) => [
        controllerOf(metadata)?.uid ?? orphansOf(metadata.namespace),
      ])
  }

  start(): void {
    for (const informer of this.all.values()) informer.start()
  }

  stop(): void {
    this.stopped = true
    for (const informer of this.all.values()) informer.stop()
  }

  async synced(): Promise<void> {
    for (const informer of this.all.values()) await informer.synced()
  }

  /** Resolves once the copy of a resource has a write of this version. A resource that nobody keeps is not waited for. */
  async reached({ plural }: Resource, version: number): Promise<void> {
    await this.all.get(plural)?.reached(version)
  }

  private add<T extends KubeObject>(resource: Resource<T>): Informer<T> {
    const informer = new Informer<T>({ ...this.options, resource })
    this.all.set(resource.plural, informer as unknown as Informer<KubeObject>)
    return informer
  }
}
