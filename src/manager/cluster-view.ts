import { ProfileSlimmer } from '../../actors/policy/kept-profile.ts'
import type { AnyPolicy, ControlPlaneStores, PolicyId, Workload, WorkloadKind } from '../../actors/ports.ts'
import type { ArmorProfile, ArmorProfileModel } from '../api/types.ts'
import type { ApiClient } from '../kube/client.ts'
import type { KubeObject, ResourceRef } from '../kube/objects.ts'
import { armorProfileModels, armorProfiles, varmorClusterPolicies, varmorPolicies } from '../kube/own-kinds.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../kube/reflector.ts'
import type { ReflectorObserver } from '../kube/reflector-observer.ts'
import type { RoomOptions } from '../kube/room.ts'
import { namespaceIndex, withoutManagedFields } from '../kube/store.ts'
import { type Node, nodes, withoutDetails, withoutPodDetails, workloadResources } from './cluster-resources.ts'
import { type Rooms, roomsFor } from './rooms.ts'

export interface ClusterViewOptions {
  /** The reflectors use the clock of this client. */
  client: ApiClient
  /** The observer of the reflector of a kind, by the kind's plural. */
  observer?: (plural: string) => ReflectorObserver
  timing?: Partial<ReflectorTiming>
  /** Default: the limits of a manager without a memory limit. */
  rooms?: Rooms
}

/** The manager's view of the cluster: one reflector for each kind. */
export class ClusterView implements ControlPlaneStores {
  readonly policies: Reflector<AnyPolicy & KubeObject>
  readonly clusterPolicies: Reflector<AnyPolicy & KubeObject>
  /** ArmorProfiles, with a digest in place of the profile's content. */
  readonly profiles: Reflector<ArmorProfile & KubeObject>
  /** Models without the recorded data, which is large. Merging reads the data from the API server. */
  readonly models: Reflector<ArmorProfileModel & KubeObject>
  readonly nodes: Reflector<Node>
  readonly workloadsOf: Readonly<Record<WorkloadKind, Reflector<Workload & KubeObject>>>
  #all: Reflector<KubeObject>[] = []

  constructor({ client, observer, timing = {}, rooms = roomsFor(0) }: ClusterViewOptions) {
    const reflect = <T extends KubeObject>(
      ref: ResourceRef<T>,
      transform: (object: T) => T = withoutManagedFields,
      room?: RoomOptions<T>,
    ): Reflector<T> => {
      const reflector = new Reflector<T>({
        source: clientSource(client, ref),
        clock: client.caller.clock,
        random: client.caller.random,
        transform,
        ...{ timing, room },
        ...(observer !== undefined && { observer: observer(ref.plural) }),
      })
      this.#all.push(reflector as unknown as Reflector<KubeObject>)
      return reflector
    }
    const policies = varmorPolicies as ResourceRef<AnyPolicy & KubeObject>
    this.policies = reflect(policies, withoutManagedFields, rooms.policies)
    this.clusterPolicies = reflect(varmorClusterPolicies as ResourceRef<AnyPolicy & KubeObject>)
    const slimmer = new ProfileSlimmer()
    this.profiles = reflect(armorProfiles, (profile) => slimmer.slim(withoutManagedFields(profile)))
    this.models = reflect(armorProfileModels, withoutRecorded, rooms.models)
    this.nodes = reflect(nodes, withoutDetails)
    const workload = (kind: WorkloadKind) => reflect(workloadResources[kind], withoutPodDetails, rooms.workloads(kind))
    this.workloadsOf = {
      Deployment: workload('Deployment'),
      StatefulSet: workload('StatefulSet'),
      DaemonSet: workload('DaemonSet'),
    }
  }

  /** Changes that wait for handlers, by kind and handler. */
  get depths(): Record<string, number> {
    const of = {
      policies: this.policies,
      clusterPolicies: this.clusterPolicies,
      profiles: this.profiles,
      models: this.models,
      nodes: this.nodes,
    }
    return Object.fromEntries(
      Object.entries({ ...of, ...this.workloadsOf }).flatMap(([kind, { depths }]) =>
        Object.entries(depths).map(([handler, depth]) => [`${kind}/${handler}`, depth]),
      ),
    )
  }

  /** Objects kept only as an outline, or not at all, for lack of memory, by the plural of their kind. */
  get outlines(): Record<string, number> {
    const { Deployment, StatefulSet, DaemonSet } = this.workloadsOf
    return {
      varmorpolicies: this.policies.outlines,
      armorprofilemodels: this.models.outlines,
      deployments: Deployment.outlines,
      statefulsets: StatefulSet.outlines,
      daemonsets: DaemonSet.outlines,
    }
  }

  /** Changes that wait for handlers, of all kinds. */
  get waiting(): number {
    return this.#all.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  start(): void {
    for (const reflector of this.#all) reflector.start()
  }

  /** Resolves to true when all kinds have been listed once, or to false if the view was stopped before. */
  async synced(): Promise<boolean> {
    return (await Promise.all(this.#all.map(({ synced }) => synced))).every((each) => each)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()))
  }

  policy({ kind, namespace, name }: PolicyId): AnyPolicy | undefined {
    return kind === 'VarmorPolicy'
      ? this.policies.store.get(`${namespace}/${name}`)
      : this.clusterPolicies.store.get(name)
  }

  lacksPolicies(namespace: string): boolean {
    return this.policies.isIncomplete(namespace)
  }

  profile(namespace: string, name: string): ArmorProfile | undefined {
    return this.profiles.store.get(`${namespace}/${name}`)
  }

  workloads(kind: WorkloadKind, namespace: string | undefined): Iterable<Workload> {
    const { store } = this.workloadsOf[kind]
    return namespace === undefined ? store.values() : store.byIndex(namespaceIndex, namespace)
  }
}

function withoutRecorded(model: ArmorProfileModel & KubeObject): ArmorProfileModel & KubeObject {
  const { profile } = model.data
  return { ...withoutManagedFields(model), data: profile === undefined ? {} : { profile } }
}
