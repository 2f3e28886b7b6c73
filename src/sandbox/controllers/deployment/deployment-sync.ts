import { clone, sameJson } from '../../api-server/schema/json.ts'
import { type ClusterClient, isAlreadyExists, isNamespaceTerminating } from '../cluster-client.ts'
import { withCondition } from '../conditions.ts'
import type { Environment } from '../environment.ts'
import { BY_CONTROLLER, orphansOf } from '../informers.ts'
import { claim, controllerReference, isControlledBy } from '../ownership.ts'
import { messageOf } from '../pod-control.ts'
import { conditionOf, isTerminal } from '../pod-state.ts'
import { deployments, replicaSets } from '../resources.ts'
import { shortHash } from '../template-hash.ts'
import type { Deployment, ReplicaSet } from '../types.ts'
import { DESIRED_REPLICAS, newestAnnotations, numberIn, REVISION, revisionOf, sizeAnnotations } from './annotations.ts'
import {
  allOf,
  deadlineOf,
  deploymentCondition,
  deploymentStatus,
  hasDeadline,
  isComplete,
  type Sets,
  sumOf,
  withProgress,
} from './deployment-status.ts'
import { isRolling, limitsOf, newSetSize, wantedBy } from './limits.ts'
import { proportionalSizes } from './proportions.ts'
import { findNewest, isActiveSet, newestFirst, oldestFirst, sameTemplate, TEMPLATE_HASH } from './replica-sets.ts'

const component = 'deployment-controller'

/** One pass over a deployment (kubernetes, pkg/controller/deployment). It takes one step; the change that it makes leads to the next. */
export class DeploymentSync {
  private readonly environment: Environment
  private readonly client: ClusterClient
  private readonly later: (delay: number) => void
  /** As last written. */
  private deployment: Deployment
  /** As last written. */
  private sets: ReplicaSet[] = []

  constructor(environment: Environment, client: ClusterClient, deployment: Deployment, later: (delay: number) => void) {
    this.environment = environment
    this.client = client
    this.deployment = clone(deployment)
    this.later = later
  }

  async sync(): Promise<void> {
    this.sets = await this.claimSets()
    if (this.deployment.metadata.deletionTimestamp) return this.report(await this.observe(), false)
    await this.markPause()
    const sets = await this.observe()
    if (this.deployment.spec.paused) {
      await this.scale(sets)
      await this.cleanUp()
      return this.report(this.current(), false)
    }
    if (this.isScaled(sets)) {
      await this.scale(sets)
      return this.report(this.current(), false)
    }
    return isRolling(this.deployment) ? this.roll() : this.recreate()
  }

  private get now(): number {
    return this.environment.clock.now()
  }

  private async claimSets(): Promise<ReplicaSet[]> {
    const { store } = this.environment.informers.replicaSets
    const { uid = '', namespace } = this.deployment.metadata
    return claim({
      client: this.client,
      owner: this.deployment,
      ownerResource: deployments,
      resource: replicaSets,
      candidates: [...store.find(BY_CONTROLLER, uid), ...store.find(BY_CONTROLLER, orphansOf(namespace))],
    })
  }

  private current(): Sets {
    const newest = findNewest(this.deployment, this.sets)
    return { newest, old: this.sets.filter((set) => set !== newest) }
  }

  /** The newest set there is, brought in line with what the deployment says beside its template. */
  private async observe(): Promise<Sets> {
    const { newest } = this.current()
    if (newest) await this.adjustNewest(newest)
    return this.current()
  }

  private nextRevision(): number {
    return Math.max(0, ...this.current().old.map(revisionOf)) + 1
  }

  private async adjustNewest(newest: ReplicaSet): Promise<void> {
    const { minReadySeconds = 0 } = this.deployment.spec
    const before = newest.metadata.annotations ?? {}
    const annotations = newestAnnotations(this.deployment, before, this.nextRevision())
    if (!sameJson(annotations, before) || (newest.spec.minReadySeconds ?? 0) !== minReadySeconds)
      await this.writeSet({
        ...newest,
        metadata: { ...newest.metadata, annotations },
        spec: { ...newest.spec, minReadySeconds },
      })
    await this.recordNewest(
      annotations[REVISION] ?? '',
      'FoundNewReplicaSet',
      `Found new replica set "${newest.metadata.name}"`,
    )
  }

  /** The revision, and that a new set is there if nothing else has been said of progress. */
  private async recordNewest(revision: string, reason: string, message: string): Promise<void> {
    const { metadata, status = {} } = this.deployment
    const created = reason === 'NewReplicaSetCreated'
    const unsaid = hasDeadline(this.deployment) && (created || !conditionOf(status.conditions, 'Progressing'))
    const known = metadata.annotations?.[REVISION] === revision
    if (known && !unsaid) return
    const condition = deploymentCondition('Progressing', 'True', reason, message, this.now)
    await this.writeStatus({
      ...this.deployment,
      metadata: { ...metadata, annotations: { ...metadata.annotations, [REVISION]: revision } },
      status: unsaid ? { ...status, conditions: withCondition(status.conditions ?? [], condition) } : status,
    })
  }

  private async writeSet(set: ReplicaSet): Promise<ReplicaSet> {
    const written = await this.client.update(replicaSets, set)
    this.sets = this.sets.map((one) => (one.metadata.uid === written.metadata.uid ? written : one))
    return written
  }

  private async writeStatus(deployment: Deployment): Promise<void> {
    this.deployment = clone(await this.client.update(deployments, deployment, 'status'))
  }

  /** While it is paused, and just after, nobody can expect progress. */
  private async markPause(): Promise<void> {
    if (!hasDeadline(this.deployment)) return
    const { spec, status = {} } = this.deployment
    const current = conditionOf(status.conditions, 'Progressing')
    if (current?.reason === 'ProgressDeadlineExceeded') return
    const said = current?.reason === 'DeploymentPaused'
    if (said === (spec.paused ?? false)) return
    const condition = spec.paused
      ? deploymentCondition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', this.now)
      : deploymentCondition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', this.now)
    await this.writeStatus({
      ...this.deployment,
      status: { ...status, conditions: withCondition(status.conditions ?? [], condition) },
    })
  }

  /** Whether the size of the deployment has changed since it last sized its sets. */
  private isScaled(sets: Sets): boolean {
    return allOf(sets)
      .filter(isActiveSet)
      .some(
        (set) => (numberIn(set, DESIRED_REPLICAS) ?? this.deployment.spec.replicas) !== this.deployment.spec.replicas,
      )
  }

  private async scale(sets: Sets): Promise<void> {
    const { replicas } = this.deployment.spec
    const active = allOf(sets).filter(isActiveSet)
    const only = active.length === 1 ? active[0] : undefined
    const latest = active.length === 0 ? (sets.newest ?? [...sets.old].sort(newestFirst)[0]) : only
    if (latest) await this.resize(latest, replicas)
    else if (this.isSaturated(sets.newest)) for (const set of sets.old.filter(isActiveSet)) await this.resize(set, 0)
    else if (isRolling(this.deployment))
      for (const [set, size] of proportionalSizes(this.deployment, active)) await this.resize(set, size, true)
  }

  private isSaturated(newest: ReplicaSet | undefined): boolean {
    const { replicas } = this.deployment.spec
    if (!newest || newest.spec.replicas !== replicas) return false
    return numberIn(newest, DESIRED_REPLICAS) === replicas && (newest.status?.availableReplicas ?? 0) === replicas
  }

  /** @param always also when only what the annotations say of the size has changed */
  private async resize(set: ReplicaSet, size: number, always = false): Promise<boolean> {
    const { metadata, spec } = set
    const annotations = { ...metadata.annotations, ...sizeAnnotations(this.deployment) }
    const sized = spec.replicas === size
    if (sized && (!always || sameJson(annotations, metadata.annotations ?? {}))) return false
    await this.writeSet({ ...set, metadata: { ...metadata, annotations }, spec: { ...spec, replicas: size } })
    if (sized) return false
    this.sayScaled(set, spec.replicas, size)
    return true
  }

  private sayScaled({ metadata }: ReplicaSet, from: number, to: number): void {
    const message = `Scaled ${from < to ? 'up' : 'down'} replica set ${metadata.name} from ${from} to ${to}`
    this.environment.events.normal(component, deployments, this.deployment, 'ScalingReplicaSet', message)
  }

  private async roll(): Promise<void> {
    const newest = this.current().newest ?? (await this.createNewest())
    const { replicas } = this.deployment.spec
    const size =
      newest.spec.replicas >= replicas ? replicas : newSetSize(this.deployment, this.sets, newest.spec.replicas)
    const moved = (await this.resize(newest, size)) || (await this.shrinkOld())
    if (!moved && isComplete(this.deployment, this.deployment.status ?? {})) await this.cleanUp()
    await this.report(this.current(), true)
  }

  private async recreate(): Promise<void> {
    const { newest, old } = this.current()
    let shrunk = false
    for (const set of old.filter(isActiveSet)) shrunk = (await this.resize(set, 0)) || shrunk
    if (!shrunk && !this.hasOldPods(old)) {
      await this.resize(newest ?? (await this.createNewest()), this.deployment.spec.replicas)
      if (isComplete(this.deployment, this.deployment.status ?? {})) await this.cleanUp()
    }
    await this.report(this.current(), true)
  }

  private hasOldPods(old: readonly ReplicaSet[]): boolean {
    if (sumOf(old, 'replicas') > 0) return true
    const { store } = this.environment.informers.pods
    return old.some(({ metadata }) => store.find(BY_CONTROLLER, metadata.uid ?? '').some((pod) => !isTerminal(pod)))
  }

  /**
   * Takes from the old sets first the pods that serve nobody, then as many as the available ones can do without. Pods of
   * the newest set that are not available yet count as if they were needed.
   */
  private async shrinkOld(): Promise<boolean> {
    const { newest, old } = this.current()
    const active = old.filter(isActiveSet).sort(oldestFirst)
    const least = this.deployment.spec.replicas - limitsOf(this.deployment).unavailable
    const unavailable = newest!.spec.replicas - (newest!.status?.availableReplicas ?? 0)
    const most = wantedBy(this.sets) - least - unavailable
    if (active.length === 0 || most <= 0) return false
    const cleaned = await this.shrink(
      active,
      most,
      ({ spec, status }) => spec.replicas - (status?.availableReplicas ?? 0),
    )
    const spare = sumOf(this.sets, 'availableReplicas') - least
    const healthy = this.current().old.filter(isActiveSet).sort(oldestFirst)
    return (await this.shrink(healthy, spare, ({ spec }) => spec.replicas)) || cleaned
  }

  private async shrink(sets: readonly ReplicaSet[], most: number, by: (set: ReplicaSet) => number): Promise<boolean> {
    let left = most
    for (const set of sets) {
      const count = Math.min(left, by(set))
      if (count <= 0) continue
      await this.resize(set, set.spec.replicas - count)
      left -= count
    }
    return left < most
  }

  private async createNewest(): Promise<ReplicaSet> {
    const { spec, status = {} } = this.deployment
    const hash = shortHash(spec.template, status.collisionCount)
    const set = this.newestSet(hash)
    try {
      const created = await this.client.create(replicaSets, set)
      this.sets = [...this.sets, created]
      if (created.spec.replicas > 0) this.sayScaled(created, 0, created.spec.replicas)
      const message = `Created new replica set "${created.metadata.name}"`
      await this.recordNewest(created.metadata.annotations?.[REVISION] ?? '', 'NewReplicaSetCreated', message)
      return created
    } catch (error) {
      if (isAlreadyExists(error)) return this.takeExisting(set, error)
      if (!isNamespaceTerminating(error)) await this.reportCreateFailure(set.metadata.name, error)
      throw error
    }
  }

  private newestSet(hash: string) {
    const { metadata, spec } = this.deployment
    const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH]: hash }
    const annotations = newestAnnotations(this.deployment, sizeAnnotations(this.deployment), this.nextRevision())
    const { matchLabels, ...selector } = spec.selector
    return {
      metadata: {
        name: `${metadata.name.slice(0, 252 - hash.length)}-${hash}`,
        namespace: metadata.namespace!,
        labels,
        annotations,
        ownerReferences: [controllerReference(deployments, this.deployment)],
      },
      spec: {
        replicas: newSetSize(this.deployment, this.sets, 0),
        minReadySeconds: spec.minReadySeconds ?? 0,
        selector: { ...selector, matchLabels: { ...matchLabels, [TEMPLATE_HASH]: hash } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    }
  }

  /** A set of that name is there: our own, which the copy does not show yet, or another's, and then the next name is tried. */
  private async takeExisting(set: ReturnType<DeploymentSync['newestSet']>, error: unknown): Promise<ReplicaSet> {
    const { namespace, name } = set.metadata
    const found = await this.client.get(replicaSets, namespace, name)
    if (found && isControlledBy(found, this.deployment) && sameTemplate(found.spec.template, set.spec.template)) {
      this.sets = [...this.sets.filter(({ metadata }) => metadata.uid !== found.metadata.uid), found]
      return found
    }
    const { status = {} } = this.deployment
    if (found)
      await this.writeStatus({
        ...this.deployment,
        status: { ...status, collisionCount: (status.collisionCount ?? 0) + 1 },
      })
    throw error
  }

  private async reportCreateFailure(name: string, error: unknown): Promise<void> {
    const message = `Failed to create new replica set "${name}": ${messageOf(error)}`
    this.environment.events.warning(component, deployments, this.deployment, 'ReplicaSetCreateError', message)
    if (!hasDeadline(this.deployment)) return
    const { status = {} } = this.deployment
    const condition = deploymentCondition('Progressing', 'False', 'ReplicaSetCreateError', message, this.now)
    await this.writeStatus({
      ...this.deployment,
      status: { ...status, conditions: withCondition(status.conditions ?? [], condition) },
    })
  }

  /** Deletes empty old sets beyond those that are kept to go back to, the oldest revisions first. */
  private async cleanUp(): Promise<void> {
    const { revisionHistoryLimit } = this.deployment.spec
    if (revisionHistoryLimit === undefined || revisionHistoryLimit === 2 ** 31 - 1) return
    const old = this.current().old.filter(({ metadata }) => !metadata.deletionTimestamp)
    const surplus = old
      .sort((a, b) => revisionOf(a) - revisionOf(b) || oldestFirst(a, b))
      .slice(0, Math.max(0, old.length - revisionHistoryLimit))
    for (const set of surplus) if (isEmpty(set)) await this.client.delete(replicaSets, set)
  }

  private async report(sets: Sets, estimatesProgress: boolean): Promise<void> {
    const plain = deploymentStatus(this.deployment, sets, this.now)
    const status = estimatesProgress ? withProgress(this.deployment, plain, sets, this.now) : plain
    if (!sameJson(status, this.deployment.status ?? {})) await this.writeStatus({ ...this.deployment, status })
    this.planDeadline()
  }

  /** Without news nothing else would lead to a look at the clock. */
  private planDeadline(): void {
    const { status = {} } = this.deployment
    const condition = conditionOf(status.conditions, 'Progressing')
    if (!hasDeadline(this.deployment) || !condition || isComplete(this.deployment, status)) return
    if (condition.reason === 'ProgressDeadlineExceeded' || this.deployment.spec.paused) return
    // A second more: times of conditions are whole seconds.
    this.later(Math.max(0, deadlineOf(this.deployment, condition) - this.now) + 1000)
  }
}

const isEmpty = ({ spec, status, metadata }: ReplicaSet): boolean =>
  spec.replicas === 0 &&
  (status?.replicas ?? 0) === 0 &&
  (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0)
