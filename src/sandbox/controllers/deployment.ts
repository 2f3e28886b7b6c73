import { isDeepStrictEqual } from 'node:util'
import type { WorkQueue } from '../work-queue.ts'
import { type Cluster, controllerOf, type Writes } from './cluster.ts'
import { limitsOf, nextSizes, type Size } from './deployment-sizes.ts'
import {
  type Condition,
  type Deployment,
  deployments,
  type ReplicaSet,
  replicaSets,
  timestamp,
  type WorkloadStatus,
} from './objects.ts'
import { conditionOf, isTerminal, ownedBy, templateHash, withCondition } from './pods.ts'

const REVISION = 'deployment.kubernetes.io/revision'
const APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
const TEMPLATE_HASH = 'pod-template-hash'

/**
 * Rolls deployments out: changes the sizes of their replica sets, one step at a time. Each change triggers the next
 * step.
 */
export function startDeployments(cluster: Cluster): WorkQueue {
  const queue = cluster.workloadQueue(deployments, (deployment, writes) =>
    new Rollout(cluster, writes, deployment).step(),
  )
  const wakeOwner = (set: ReplicaSet | undefined): void => {
    const owner = set && controllerOf(set)
    if (owner) queue.add(`${set.metadata.namespace}/${owner.name}`)
  }
  cluster.replicaSets.onChange((after, before) => wakeOwner(after ?? before))
  // A deployment with the strategy Recreate waits for the end of its last old pod. This end changes no replica set, so
  // watch pods, too.
  cluster.pods.onChange((after, before) => {
    const owner = !after && before && controllerOf(before)
    if (owner) wakeOwner(cluster.replicaSets.store.get(`${before.metadata.namespace}/${owner.name}`))
  })
  return queue
}

const sizeOf = ({ spec, status }: ReplicaSet): Size => ({
  wanted: spec.replicas ?? 0,
  present: status?.replicas ?? 0,
  available: status?.availableReplicas ?? 0,
})

const revisionOf = ({ metadata }: ReplicaSet): number => Number(metadata.annotations?.[REVISION] ?? 0)

class Rollout {
  readonly #cluster: Cluster
  readonly #writes: Writes
  readonly #deployment: Deployment
  /** The old replica sets, the oldest revision first. */
  readonly #old: ReplicaSet[]
  readonly #name: string
  readonly #hash: string
  #newest: ReplicaSet | undefined

  constructor(cluster: Cluster, writes: Writes, deployment: Deployment) {
    this.#cluster = cluster
    this.#writes = writes
    this.#deployment = deployment
    const { metadata, spec } = deployment
    this.#hash = templateHash(spec.template)
    this.#name = `${metadata.name.slice(0, 240)}-${this.#hash}`
    const sets = cluster.replicaSets.store.byIndex('owner', metadata.uid)
    this.#newest = sets.find((set) => set.metadata.name === this.#name)
    this.#old = sets.filter((set) => set !== this.#newest).sort((a, b) => revisionOf(a) - revisionOf(b))
  }

  async step(): Promise<void> {
    const { spec } = this.#deployment
    if (spec.paused) await this.#scalePaused()
    else await this.#resize(await this.#current())
    await this.#writeStatus()
  }

  /**
   * The replica set of the current template, created if it is missing. Annotations and minReadySeconds are not part of
   * the template, so an existing set gets the deployment's values.
   */
  async #current(): Promise<ReplicaSet> {
    const revision = Math.max(0, ...this.#old.map(revisionOf)) + 1
    const { [APPLIED]: _, [REVISION]: __, ...own } = this.#deployment.metadata.annotations ?? {}
    const known = this.#newest
    if (known === undefined) {
      this.#newest = await this.#create({ ...own, [REVISION]: String(revision) })
      return this.#newest
    }
    const annotations = {
      ...known.metadata.annotations,
      ...own,
      [REVISION]: String(Math.max(revision, revisionOf(known))),
    }
    const { minReadySeconds = 0 } = this.#deployment.spec
    const isCurrent = isDeepStrictEqual(annotations, known.metadata.annotations ?? {})
    if (isCurrent && (known.spec.minReadySeconds ?? 0) === minReadySeconds) return known
    const metadata = { ...known.metadata, annotations }
    this.#newest = await this.#writes.update(replicaSets, {
      ...known,
      ...{ metadata, spec: { ...known.spec, minReadySeconds } },
    })
    return this.#newest
  }

  async #create(annotations: Record<string, string>): Promise<ReplicaSet> {
    const { metadata, spec } = this.#deployment
    const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH]: this.#hash }
    const { matchLabels, ...selector } = spec.selector
    const set = {
      metadata: {
        ...{ name: this.#name, namespace: metadata.namespace, labels, annotations },
        ownerReferences: ownedBy(deployments, this.#deployment),
      },
      spec: {
        replicas: 0,
        minReadySeconds: spec.minReadySeconds ?? 0,
        selector: { ...selector, matchLabels: { ...matchLabels, [TEMPLATE_HASH]: this.#hash } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    }
    return this.#writes.create(replicaSets, set)
  }

  async #resize(newest: ReplicaSet): Promise<void> {
    const { spec } = this.#deployment
    const { replicas = 1, strategy } = spec
    if (strategy?.type === 'Recreate') {
      for (const set of [...this.#old]) await this.#setSize(set, 0)
      if (!this.#hasOldPods()) await this.#setSize(newest, replicas)
      return
    }
    const sizes = nextSizes(replicas, limitsOf(spec), sizeOf(newest), this.#old.map(sizeOf))
    await this.#setSize(newest, sizes.newest)
    for (const [index, set] of [...this.#old].entries()) await this.#setSize(set, sizes.old[index]!)
  }

  /**
   * Scales a paused deployment. Its rollout does not continue, but a single replica set still gets the deployment's
   * size.
   */
  async #scalePaused(): Promise<void> {
    const active = [...this.#old, ...(this.#newest ? [this.#newest] : [])].filter((set) => sizeOf(set).wanted > 0)
    if (active.length === 1) await this.#setSize(active[0]!, this.#deployment.spec.replicas ?? 1)
  }

  #hasOldPods(): boolean {
    return this.#old.some((set) => this.#cluster.podsOf(set).some((pod) => !isTerminal(pod)))
  }

  async #setSize(set: ReplicaSet, replicas: number): Promise<void> {
    if (sizeOf(set).wanted === replicas) return
    const written = await this.#writes.update(replicaSets, { ...set, spec: { ...set.spec, replicas } })
    if (set === this.#newest) this.#newest = written
    else this.#old[this.#old.indexOf(set)] = written
  }

  async #writeStatus(): Promise<void> {
    const status = this.#status()
    const { metadata } = this.#deployment
    const revision = this.#newest?.metadata.annotations?.[REVISION] ?? metadata.annotations?.[REVISION]
    const annotations = { ...metadata.annotations, ...(revision !== undefined && { [REVISION]: revision }) }
    const isCurrent = metadata.annotations?.[REVISION] === revision
    const deployment = isCurrent ? this.#deployment : { ...this.#deployment, metadata: { ...metadata, annotations } }
    // In a write of the status, the server also accepts changed annotations.
    await this.#writes.status(deployments, isCurrent ? deployment : { ...deployment, status: {} }, status)
  }

  #status(): WorkloadStatus {
    const { metadata, spec, status: { conditions = [] } = {} } = this.#deployment
    const newest = this.#newest ? [this.#newest] : []
    const all = [...this.#old, ...newest]
    const sum = (sets: readonly ReplicaSet[], of: 'replicas' | 'readyReplicas' | 'availableReplicas'): number =>
      sets.reduce((total, { status }) => total + (status?.[of] ?? 0), 0)
    const counts = {
      replicas: sum(all, 'replicas'),
      updatedReplicas: sum(newest, 'replicas'),
      readyReplicas: sum(all, 'readyReplicas'),
      availableReplicas: sum(all, 'availableReplicas'),
      unavailableReplicas: Math.max(
        0,
        all.reduce((total, set) => total + sizeOf(set).wanted, 0) - sum(all, 'availableReplicas'),
      ),
    }
    const { replicas = 1 } = spec
    const isThrough = [counts.replicas, counts.updatedReplicas, counts.availableReplicas].every((n) => n === replicas)
    const isAvailable = counts.availableReplicas >= replicas - limitsOf(spec).unavailable
    const withAvailable = withCondition(conditions, this.#availableCondition(isAvailable))
    return {
      observedGeneration: metadata.generation ?? 0,
      ...positive(counts),
      conditions: this.#failure(withCondition(withAvailable, this.#progressing(isThrough))),
    }
  }

  #condition(type: string, status: string, reason: string, message: string): Condition {
    const now = timestamp(this.#cluster.now)
    return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message }
  }

  #availableCondition(isAvailable: boolean): Condition {
    const [status, reason, verb] = isAvailable
      ? ['True', 'Available', 'has']
      : ['False', 'Unavailable', 'does not have']
    return this.#condition('Available', status!, `MinimumReplicas${reason}`, `Deployment ${verb} minimum availability.`)
  }

  #progressing(isThrough: boolean): Condition {
    const set = `ReplicaSet "${this.#name}"`
    return isThrough
      ? this.#condition('Progressing', 'True', 'NewReplicaSetAvailable', `${set} has successfully progressed.`)
      : this.#condition('Progressing', 'True', 'ReplicaSetUpdated', `${set} is progressing.`)
  }

  /** The condition that shows why the newest replica set cannot create its pods. */
  #failure(conditions: readonly Condition[]): Condition[] {
    const failure = conditionOf(this.#newest?.status?.conditions, 'ReplicaFailure')
    const others = conditions.filter(({ type }) => type !== 'ReplicaFailure')
    return failure ? [...others, failure] : others
  }
}

/** The counts above zero: as in Kubernetes, zero counts are omitted. */
export const positive = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
