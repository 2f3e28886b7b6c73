import { sameJson } from '../../api-server/schema/json.ts'
import type { ClusterClient } from '../cluster-client.ts'
import { type Controller, controllerQueue, type Environment } from '../environment.ts'
import { BY_CONTROLLER, orphansOf } from '../informers.ts'
import { claim, controllerOf, isControlledBy, selects } from '../ownership.ts'
import { deleteAll, largestBurst, PodControl, slowStart } from '../pod-control.ts'
import { watchPods } from '../pod-events.ts'
import { isActive, isEnding, nextAvailability } from '../pod-state.ts'
import { podFromTemplate } from '../pod-template.ts'
import { pods as podResource, replicaSets } from '../resources.ts'
import type { Pod, ReplicaSet } from '../types.ts'
import { podsToDelete } from './deletion-order.ts'
import { replicaSetStatus } from './replica-set-status.ts'

/** Keeps as many pods as each replica set wants. */
export function startReplicaSetController(environment: Environment): Controller {
  const { informers } = environment
  const queue = controllerQueue(environment, 'replicaset-controller', (key, client) =>
    new ReplicaSetSync(environment, client, (delay) => queue.addAfter(key, delay)).sync(key),
  )
  informers.replicaSets.onChange(({ key }) => queue.add(key))
  watchPods(informers, informers.replicaSets, 'ReplicaSet', queue)
  return { name: 'replicaset-controller', queue }
}

class ReplicaSetSync {
  private readonly environment: Environment
  private readonly client: ClusterClient
  private readonly later: (delay: number) => void

  constructor(environment: Environment, client: ClusterClient, later: (delay: number) => void) {
    this.environment = environment
    this.client = client
    this.later = later
  }

  async sync(key: string): Promise<void> {
    const set = this.environment.informers.replicaSets.store.get(key)
    if (!set) return
    const all = this.podsOf(set)
    const active = await claim({
      client: this.client,
      owner: set,
      ownerResource: replicaSets,
      resource: podResource,
      candidates: all.filter(isActive),
    })
    const terminating = all.filter(
      (pod) => isEnding(pod) && isControlledBy(pod, set) && selects(set.spec.selector, pod.metadata.labels),
    )
    const failure = set.metadata.deletionTimestamp ? undefined : await this.manage(set, active)
    await this.report(set, active, terminating, failure)
    if (failure !== undefined) throw failure
  }

  private podsOf(set: ReplicaSet): Pod[] {
    const { store } = this.environment.informers.pods
    const { uid = '', namespace } = set.metadata
    return [...store.find(BY_CONTROLLER, uid), ...store.find(BY_CONTROLLER, orphansOf(namespace))]
  }

  /** @returns why it did not succeed, if so: the status says it before the work is tried again */
  private async manage(set: ReplicaSet, active: readonly Pod[]): Promise<unknown> {
    const owner = { component: 'replicaset-controller', resource: replicaSets, object: set }
    const control = new PodControl(this.client, this.environment.events, owner)
    const lacking = set.spec.replicas - active.length
    try {
      if (lacking > 0)
        await slowStart(Math.min(lacking, largestBurst), () =>
          control.create(podFromTemplate(set.spec.template, set, replicaSets)),
        )
      if (lacking < 0) await deleteAll(control, this.surplus(set, active, Math.min(-lacking, largestBurst)))
    } catch (error) {
      return error
    }
    return undefined
  }

  private surplus(set: ReplicaSet, active: readonly Pod[], count: number): Pod[] {
    const { store } = this.environment.informers.replicaSets
    const owner = controllerOf(set.metadata)
    const sets = owner ? store.find(BY_CONTROLLER, owner.uid) : [set]
    const { pods } = this.environment.informers
    const related = sets.flatMap(({ metadata }) => pods.store.find(BY_CONTROLLER, metadata.uid ?? '').filter(isActive))
    return podsToDelete(active, related, count, this.environment.clock.now())
  }

  private async report(set: ReplicaSet, active: Pod[], terminating: Pod[], failure: unknown): Promise<void> {
    const now = this.environment.clock.now()
    const status = replicaSetStatus(set, { active, terminating }, failure, now)
    const next = nextAvailability(active, set.spec.minReadySeconds ?? 0, now)
    if (next !== undefined) this.later(next)
    if (!sameJson(status, set.status ?? {})) await this.client.update(replicaSets, { ...set, status }, 'status')
  }
}
