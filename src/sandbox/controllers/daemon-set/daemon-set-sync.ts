import { sameJson } from '../../api-server/schema/json.ts'
import type { ClusterClient } from '../cluster-client.ts'
import type { Environment } from '../environment.ts'
import { BY_CONTROLLER, orphansOf } from '../informers.ts'
import { scaledCount } from '../int-or-percent.ts'
import { claim } from '../ownership.ts'
import { deleteAll, largestBurst, PodControl, slowStart } from '../pod-control.ts'
import { createdAt, isAvailable, isReady, isTerminal, isTerminating, nextAvailability, phaseOf } from '../pod-state.ts'
import { positive } from '../replica-set/replica-set-status.ts'
import { daemonSets, pods as podResource } from '../resources.ts'
import { type History, REVISION_HASH, truncateHistory, updateHistory } from '../revisions.ts'
import type { DaemonSet, DaemonSetStatus, Node, Pod } from '../types.ts'
import { daemonPod, isUpdated, nodeOfPod, type Placement, placement } from './daemon-pod.ts'

/** A node of the cluster, or one that pods are meant for and that is not there any more. */
interface Place {
  readonly name: string
  readonly node: Node | undefined
  readonly placement: Placement
  /** Of the daemon on this node, the oldest first. */
  readonly pods: readonly Pod[]
}

/** One pass over a daemon set (kubernetes, pkg/controller/daemon). */
export class DaemonSetSync {
  private readonly environment: Environment
  private readonly client: ClusterClient
  private readonly set: DaemonSet
  private readonly later: (delay: number) => void
  private readonly control: PodControl

  constructor(environment: Environment, client: ClusterClient, set: DaemonSet, later: (delay: number) => void) {
    this.environment = environment
    this.client = client
    this.set = set
    this.later = later
    const owner = { component: 'daemonset-controller', resource: daemonSets, object: set }
    this.control = new PodControl(client, environment.events, owner)
  }

  async sync(): Promise<void> {
    // Its history may be gone before its pods are: nothing could be said of them.
    if (this.set.metadata.deletionTimestamp) return
    const history = await this.history()
    const hash = history.update.metadata.labels?.[REVISION_HASH] ?? ''
    const places = this.places(await this.claimPods())
    const failure = await this.step(places, hash).then(
      () => undefined,
      (error: unknown) => error,
    )
    await this.report(places, hash, history.collisions)
    if (failure !== undefined) throw failure
    await this.cleanUp(history, places)
  }

  private get now(): number {
    return this.environment.clock.now()
  }

  private history(): Promise<History> {
    const { environment, client, set } = this
    const collisions = set.status?.collisionCount ?? 0
    return updateHistory({
      environment,
      client,
      resource: daemonSets,
      owner: set,
      collisions,
      hashLabel: REVISION_HASH,
    })
  }

  private claimPods(): Promise<Pod[]> {
    const { store } = this.environment.informers.pods
    const { uid = '', namespace } = this.set.metadata
    return claim({
      client: this.client,
      owner: this.set,
      ownerResource: daemonSets,
      resource: podResource,
      candidates: [...store.find(BY_CONTROLLER, uid), ...store.find(BY_CONTROLLER, orphansOf(namespace))],
    })
  }

  private places(pods: readonly Pod[]): Place[] {
    const byNode = new Map<string, Pod[]>()
    for (const pod of pods) {
      const node = nodeOfPod(pod)
      if (node === undefined || (isTerminal(pod) && isTerminating(pod))) continue
      const there = byNode.get(node)
      if (there) there.push(pod)
      else byNode.set(node, [pod])
    }
    const decide = placement(this.set)
    const places: Place[] = []
    for (const node of this.environment.informers.nodes.store.values()) {
      const { name } = node.metadata
      places.push({ name, node, placement: decide(node), pods: (byNode.get(name) ?? []).sort(oldestFirst) })
      byNode.delete(name)
    }
    for (const [name, left] of byNode)
      places.push({ name, node: undefined, placement: { runs: false, stays: false }, pods: left })
    return places
  }

  /** Fills and clears nodes first; updates go on once that is done. */
  private async step(places: readonly Place[], hash: string): Promise<void> {
    const missing = places.filter((place) => place.placement.runs && this.lacksPod(place)).map(({ name }) => name)
    const doomed = places.flatMap((place) => this.superfluous(place, hash))
    await this.apply(missing, doomed, hash)
    if (missing.length > 0 || doomed.length > 0) return
    if (this.set.spec.updateStrategy.type !== 'RollingUpdate') return
    const { surge } = this.limits(places)
    if (surge > 0) await this.surge(places, hash, surge)
    else await this.replace(places, hash)
  }

  private get surges(): boolean {
    return this.surgeOf(1) > 0
  }

  private surgeOf(total: number): number {
    const { type, rollingUpdate } = this.set.spec.updateStrategy
    return type === 'RollingUpdate' ? scaledCount(rollingUpdate?.maxSurge, total, 'up') : 0
  }

  private limits(places: readonly Place[]): { surge: number; unavailable: number } {
    const desired = places.filter(({ placement: { runs } }) => runs).length
    const surge = this.surgeOf(desired)
    const unavailable = scaledCount(this.set.spec.updateStrategy.rollingUpdate?.maxUnavailable, desired, 'up')
    return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
  }

  /** Without surge a pod that is on its way out is waited for; with it, its successor comes at once. */
  private lacksPod({ pods }: Place): boolean {
    return this.surges ? pods.every((pod) => isTerminating(pod) || isTerminal(pod)) : pods.length === 0
  }

  private superfluous({ placement: { stays }, pods, node }: Place, hash: string): Pod[] {
    const present = pods.filter((pod) => !isTerminating(pod))
    // What is bound to a node that is gone is the business of the node controller.
    if (!node) return present.filter(({ spec }) => !spec.nodeName)
    if (!stays) return present
    const ended = present.filter(isTerminal)
    for (const pod of ended) this.sayEnded(pod)
    const running = present.filter((pod) => !isTerminal(pod))
    if (!this.surges) return [...ended, ...running.slice(1)]
    return [...ended, ...this.beyondPair(running, hash)]
  }

  private sayEnded(pod: Pod): void {
    const { namespace, name } = pod.metadata
    const { events } = this.environment
    const where = `daemon pod ${namespace}/${name} on node ${pod.spec.nodeName}`
    if (phaseOf(pod) === 'Failed')
      events.warning(
        'daemonset-controller',
        daemonSets,
        this.set,
        'FailedDaemonPod',
        `Found failed ${where}, will try to kill it`,
      )
    else
      events.normal(
        'daemonset-controller',
        daemonSets,
        this.set,
        'SucceededDaemonPod',
        `Found succeeded ${where}, will try to delete it`,
      )
  }

  /** One old and one new pod may be together, until the new one is available or the old one is not ready. */
  private beyondPair(running: readonly Pod[], hash: string): Pod[] {
    const updated = running.filter((pod) => isUpdated(pod, hash))
    const old = running.filter((pod) => !isUpdated(pod, hash))
    const excess = [...updated.slice(1), ...old.slice(1)]
    const pair = updated[0] && old[0]
    return pair && (!isReady(old[0]!) || this.isAvailable(updated[0]!)) ? [...excess, old[0]!] : excess
  }

  private isAvailable(pod: Pod): boolean {
    return isAvailable(pod, this.set.spec.minReadySeconds ?? 0, this.now)
  }

  private async apply(missing: readonly string[], doomed: readonly Pod[], hash: string): Promise<void> {
    const count = Math.min(missing.length, largestBurst)
    await slowStart(count, (index) => this.control.create(daemonPod(this.set, missing[index]!, hash)))
    await deleteAll(this.control, doomed.slice(0, largestBurst))
    // The rest follows when the first are seen; without one that is ours nothing would lead here again.
    if (missing.length > count) this.later(1)
  }

  /** Deletes old pods: those that serve nobody at once, others as far as some may be unavailable. */
  private async replace(places: readonly Place[], hash: string): Promise<void> {
    const { unavailable } = this.limits(places)
    const free: Pod[] = []
    const candidates: Pod[] = []
    let missing = 0
    for (const {
      pods,
      placement: { runs },
    } of places) {
      const present = pods.filter((pod) => !isTerminating(pod))
      if (!runs && pods.length === 0) continue
      const pod = present[0]
      if (!pod || present.length > 1) missing++
      else if (isUpdated(pod, hash)) missing += this.isAvailable(pod) ? 0 : 1
      else if (this.isAvailable(pod)) candidates.push(pod)
      else {
        free.push(pod)
        missing++
      }
    }
    const room = Math.max(0, unavailable - missing)
    await this.apply([], [...free, ...candidates.slice(0, room)], hash)
  }

  /** Adds a new pod beside the old one, on so many nodes at a time. The old one goes once the new one is available. */
  private async surge(places: readonly Place[], hash: string, most: number): Promise<void> {
    const needed: string[] = []
    const candidates: string[] = []
    let surging = 0
    for (const {
      name,
      pods,
      placement: { runs },
    } of places) {
      const present = pods.filter((pod) => !isTerminating(pod))
      const updated = present.some((pod) => isUpdated(pod, hash))
      const old = present.find((pod) => !isUpdated(pod, hash))
      if (!old || !runs) continue
      if (updated) surging++
      else if (this.isAvailable(old)) candidates.push(name)
      else needed.push(name)
    }
    await this.apply([...needed, ...candidates.slice(0, Math.max(0, most - surging))], [], hash)
  }

  private async report(places: readonly Place[], hash: string, collisions: number): Promise<void> {
    const status = this.statusOf(places, hash, collisions)
    const all = places.flatMap(({ pods }) => pods)
    const next = nextAvailability(all, this.set.spec.minReadySeconds ?? 0, this.now)
    if (next !== undefined) this.later(next)
    if (!sameJson(status, this.set.status)) await this.client.update(daemonSets, { ...this.set, status }, 'status')
  }

  private statusOf(places: readonly Place[], hash: string, collisions: number): DaemonSetStatus {
    const wanted = places.filter(({ placement: { runs } }) => runs)
    const first = wanted.flatMap(({ pods }) => pods.slice(0, 1))
    const available = first.filter((pod) => this.isAvailable(pod)).length
    return {
      currentNumberScheduled: first.length,
      numberMisscheduled: places.filter(({ node, placement: { runs }, pods }) => node && !runs && pods.length > 0)
        .length,
      desiredNumberScheduled: wanted.length,
      numberReady: first.filter(isReady).length,
      observedGeneration: this.set.metadata.generation ?? 0,
      ...positive('updatedNumberScheduled', first.filter((pod) => isUpdated(pod, hash)).length),
      ...positive('numberAvailable', available),
      ...positive('numberUnavailable', wanted.length - available),
      ...positive('collisionCount', collisions),
    }
  }

  private async cleanUp(history: History, places: readonly Place[]): Promise<void> {
    const used = new Set(places.flatMap(({ pods }) => pods.map(({ metadata }) => metadata.labels?.[REVISION_HASH])))
    const limit = this.set.spec.revisionHistoryLimit ?? 10
    await truncateHistory(
      this.client,
      history,
      limit,
      (revision) => revision === history.update || used.has(revision.metadata.labels?.[REVISION_HASH]),
    )
  }
}

const oldestFirst = (a: Pod, b: Pod): number =>
  Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName)) ||
  createdAt(a) - createdAt(b) ||
  (a.metadata.name < b.metadata.name ? -1 : 1)
