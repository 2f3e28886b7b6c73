import { sameJson } from '../../api-server/schema/json.ts'
import { type ClusterClient, isAlreadyExists } from '../cluster-client.ts'
import { type Controller, controllerQueue, type Environment } from '../environment.ts'
import { BY_CONTROLLER, orphansOf } from '../informers.ts'
import { scaledCount } from '../int-or-percent.ts'
import { claim, controllerOf } from '../ownership.ts'
import { PodControl } from '../pod-control.ts'
import { watchPods } from '../pod-events.ts'
import { isAvailable, isTerminal, isTerminating, nextAvailability } from '../pod-state.ts'
import { claims, pods as podResource, statefulSets } from '../resources.ts'
import { type History, templateIn, truncateHistory, updateHistory } from '../revisions.ts'
import type { ControllerRevision, Pod, StatefulSet } from '../types.ts'
import { claimsOf, firstOrdinal, ordinalOf, revisionOfPod, statefulPod } from './stateful-pod.ts'
import { isRunningAndReady, statefulSetStatus } from './stateful-set-status.ts'

/** Keeps the pods of stateful sets, each with its name, one after the other. */
export function startStatefulSetController(environment: Environment): Controller {
  const { informers } = environment
  const queue = controllerQueue(environment, 'statefulset-controller', async (key, client) => {
    const set = informers.statefulSets.store.get(key)
    if (set) await new StatefulSetSync(environment, client, set, (delay) => queue.addAfter(key, delay)).sync()
  })
  informers.statefulSets.onChange(({ key }) => queue.add(key))
  watchPods(informers, informers.statefulSets, 'StatefulSet', queue)
  informers.controllerRevisions.onChange(({ before, after }) => {
    const { metadata } = (after ?? before)!
    const owner = controllerOf(metadata)
    if (owner?.kind === 'StatefulSet') queue.add(`${metadata.namespace}/${owner.name}`)
  })
  return { name: 'statefulset-controller', queue }
}

class StatefulSetSync {
  private readonly environment: Environment
  private readonly client: ClusterClient
  private readonly set: StatefulSet
  private readonly later: (delay: number) => void
  private readonly control: PodControl
  private pods: Pod[] = []

  constructor(environment: Environment, client: ClusterClient, set: StatefulSet, later: (delay: number) => void) {
    this.environment = environment
    this.client = client
    this.set = set
    this.later = later
    const owner = { component: 'statefulset-controller', resource: statefulSets, object: set }
    this.control = new PodControl(client, environment.events, owner)
  }

  async sync(): Promise<void> {
    this.pods = await this.claimPods()
    const history = await this.history()
    const current = history.all.find(({ metadata }) => metadata.name === this.set.status?.currentRevision)
    let failure: unknown
    if (!this.set.metadata.deletionTimestamp)
      failure = await this.step(current ?? history.update, history.update).then(
        () => undefined,
        (error: unknown) => error,
      )
    await this.report(history, (current ?? history.update).metadata.name)
    if (failure !== undefined) throw failure
    await this.cleanUp(history)
  }

  private get isParallel(): boolean {
    return this.set.spec.podManagementPolicy === 'Parallel'
  }

  private claimPods(): Promise<Pod[]> {
    const { store } = this.environment.informers.pods
    const { uid = '', namespace } = this.set.metadata
    const orphans = store.find(BY_CONTROLLER, orphansOf(namespace))
    const mine = orphans.filter((pod) => ordinalOf(pod, this.set) !== undefined)
    return claim({
      client: this.client,
      owner: this.set,
      ownerResource: statefulSets,
      resource: podResource,
      candidates: [...store.find(BY_CONTROLLER, uid), ...mine],
    })
  }

  private history(): Promise<History> {
    const { environment, client, set } = this
    const collisions = set.status?.collisionCount ?? 0
    const hashLabel = 'controller.kubernetes.io/hash'
    return updateHistory({ environment, client, resource: statefulSets, owner: set, collisions, hashLabel })
  }

  /** Creates what is missing, deletes what is too much, then replaces what is old; each waits for the one before. */
  private async step(current: ControllerRevision, update: ControllerRevision): Promise<void> {
    const { replicas } = this.set.spec
    const first = firstOrdinal(this.set)
    for (let ordinal = first; ordinal < first + replicas; ordinal++)
      if (await this.fill(ordinal, current, update)) return
    if (await this.removeCondemned(first, first + replicas)) return
    if (this.set.spec.updateStrategy.type === 'RollingUpdate') await this.replaceOld(update.metadata.name)
  }

  private podAt(ordinal: number): Pod | undefined {
    return this.pods.find((pod) => ordinalOf(pod, this.set) === ordinal)
  }

  /** @returns whether what comes after it has to wait */
  private async fill(ordinal: number, current: ControllerRevision, update: ControllerRevision): Promise<boolean> {
    const pod = this.podAt(ordinal)
    if (!pod) {
      const old =
        this.set.spec.updateStrategy.type === 'RollingUpdate' && ordinal < firstOrdinal(this.set) + this.partition
      await this.create(ordinal, old ? current : update)
      return !this.isParallel
    }
    if (isTerminal(pod)) {
      // Made again once it is gone.
      if (!isTerminating(pod)) await this.control.delete(pod)
      return !this.isParallel
    }
    return !this.isParallel && this.isUnavailable(pod)
  }

  private async create(ordinal: number, revision: ControllerRevision): Promise<void> {
    for (const claimed of claimsOf(this.set, ordinal)) await this.createClaim(claimed)
    await this.control.create(statefulPod(this.set, templateIn(revision), ordinal, revision.metadata.name))
  }

  private async createClaim(claimed: ReturnType<typeof claimsOf>[number]): Promise<void> {
    try {
      await this.client.create(claims, claimed)
    } catch (error) {
      // It has outlived an earlier pod.
      if (!isAlreadyExists(error)) throw error
    }
  }

  private isUnavailable(pod: Pod): boolean {
    const { minReadySeconds = 0 } = this.set.spec
    return (
      isTerminating(pod) || !isRunningAndReady(pod) || !isAvailable(pod, minReadySeconds, this.environment.clock.now())
    )
  }

  /** From the last ordinal on. @returns whether updates have to wait */
  private async removeCondemned(first: number, end: number): Promise<boolean> {
    const ordinal = (pod: Pod): number => ordinalOf(pod, this.set) ?? -1
    const condemned = this.pods
      .filter((pod) => ordinal(pod) >= 0 && (ordinal(pod) < first || ordinal(pod) >= end))
      .sort((a, b) => ordinal(b) - ordinal(a))
    const firstUnavailable = [...condemned].reverse().find((pod) => this.isUnavailable(pod))
    for (const pod of condemned) {
      if (isTerminating(pod)) {
        if (!this.isParallel) return true
        continue
      }
      if (!this.isParallel && this.isUnavailable(pod) && pod !== firstUnavailable) return true
      await this.control.delete(pod)
      if (!this.isParallel) return true
    }
    return condemned.length > 0
  }

  private get partition(): number {
    return this.set.spec.updateStrategy.rollingUpdate?.partition ?? 0
  }

  /** From the last ordinal down to the partition, as many at a time as may be unavailable. */
  private async replaceOld(update: string): Promise<void> {
    const { replicas, updateStrategy } = this.set.spec
    const first = firstOrdinal(this.set)
    const most = Math.max(1, scaledCount(updateStrategy.rollingUpdate?.maxUnavailable ?? 1, replicas, 'down'))
    const all = Array.from({ length: replicas }, (_, index) => this.podAt(first + index))
    let room = most - all.filter((pod) => !pod || this.isUnavailable(pod)).length
    const old = all
      .slice(this.partition)
      .reverse()
      .filter((pod) => pod !== undefined && revisionOfPod(pod) !== update && !isTerminating(pod)) as Pod[]
    // Those that serve nobody anyway cost nothing; in order, there are none at this point.
    if (this.isParallel) for (const pod of old.filter((one) => this.isUnavailable(one))) await this.control.delete(pod)
    for (const pod of old) {
      if (room <= 0) return
      if (this.isUnavailable(pod)) continue
      await this.control.delete(pod)
      room--
    }
  }

  private async report({ update, collisions }: History, current: string): Promise<void> {
    const now = this.environment.clock.now()
    const revisions = { current, update: update.metadata.name, collisions }
    const status = statefulSetStatus(this.set, this.pods, revisions, now)
    const next = nextAvailability(this.pods, this.set.spec.minReadySeconds ?? 0, now)
    if (next !== undefined) this.later(next)
    if (!sameJson(status, this.set.status ?? {}))
      await this.client.update(statefulSets, { ...this.set, status }, 'status')
  }

  private async cleanUp(history: History): Promise<void> {
    const { status = { replicas: 0 }, spec } = this.set
    const used = new Set([...this.pods.map(revisionOfPod), status.currentRevision, history.update.metadata.name])
    const isInUse = ({ metadata }: ControllerRevision): boolean => used.has(metadata.name)
    await truncateHistory(this.client, history, spec.revisionHistoryLimit ?? 10, isInUse)
  }
}
