import type {
  V1ContainerState,
  V1DaemonSetSpec,
  V1DeploymentSpec,
  V1NodeSpec,
  V1PodSpec,
  V1PodTemplateSpec,
  V1ReplicaSetSpec,
  V1StatefulSetSpec,
} from '@kubernetes/client-node'
import type { KubeObject, ObjectMeta } from '../../kube/objects.ts'
import { defineResource, type Lease } from '../../kube/resources.ts'

// Kubernetes' kinds as JSON. Specs have the types of the client library. Statuses have types of their own, because the
// library's statuses contain dates instead of texts.

/** Metadata that every stored object has. */
export type Metadata = ObjectMeta & {
  name: string
  namespace: string
  uid: string
  deletionGracePeriodSeconds?: number
}

export interface Stored<Spec, Status> extends KubeObject {
  metadata: Metadata
  spec: Spec
  status?: Status
}

export interface Condition {
  type: string
  status: string
  reason?: string
  message?: string
  lastUpdateTime?: string
  lastTransitionTime?: string
  lastHeartbeatTime?: string
}

export type PodSpec = V1PodSpec
export type PodTemplate = V1PodTemplateSpec
export type Container = PodSpec['containers'][number]
export type Toleration = NonNullable<PodSpec['tolerations']>[number]

export interface ContainerState {
  waiting?: { reason: string; message?: string }
  running?: { startedAt: string }
  terminated?: Omit<NonNullable<V1ContainerState['terminated']>, 'startedAt' | 'finishedAt'> & {
    startedAt: string | null
    finishedAt: string
  }
}

export interface ContainerStatus {
  name: string
  state: ContainerState
  lastState: ContainerState
  ready: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
  started?: boolean
}

export interface PodStatus {
  phase?: string
  observedGeneration?: number
  conditions?: Condition[]
  containerStatuses?: ContainerStatus[]
  initContainerStatuses?: ContainerStatus[]
  podIP?: string
  podIPs?: { ip: string }[]
  hostIP?: string
  hostIPs?: { ip: string }[]
  startTime?: string
  reason?: string
  message?: string
}

/** Counts of pods in a status. Each kind of workload has other names for these counts. */
export type WorkloadStatus = {
  observedGeneration?: number
  replicas?: number
  readyReplicas?: number
  availableReplicas?: number
  updatedReplicas?: number
  conditions?: Condition[]
  currentRevision?: string
  updateRevision?: string
}

export interface NodeStatus {
  conditions?: Condition[]
  addresses?: { type: string; address: string }[]
  nodeInfo?: Readonly<Record<string, string>>
}

export type Pod = Stored<PodSpec, PodStatus>
export type Deployment = Stored<V1DeploymentSpec, WorkloadStatus>
export type ReplicaSet = Stored<V1ReplicaSetSpec & { template: PodTemplate }, WorkloadStatus>
export type StatefulSet = Stored<V1StatefulSetSpec, WorkloadStatus>
export type DaemonSet = Stored<V1DaemonSetSpec, Record<string, number>>
export type Node = Stored<V1NodeSpec, NodeStatus>
export type NodeLease = Lease & { metadata: Metadata }

const core = <T extends KubeObject>(kind: string, plural: string, namespaced = true) =>
  defineResource<T>({ group: '', version: 'v1', kind, plural, namespaced })
const apps = <T extends KubeObject>(kind: string, plural: string) =>
  defineResource<T>({ group: 'apps', version: 'v1', kind, plural, namespaced: true })

export const pods = core<Pod>('Pod', 'pods')
export const nodes = core<Node>('Node', 'nodes', false)
export const deployments = apps<Deployment>('Deployment', 'deployments')
export const replicaSets = apps<ReplicaSet>('ReplicaSet', 'replicasets')
export const statefulSets = apps<StatefulSet>('StatefulSet', 'statefulsets')
export const daemonSets = apps<DaemonSet>('DaemonSet', 'daemonsets')
export const leases = defineResource<NodeLease>({
  ...{ group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', namespaced: true },
})
/** Namespace of the Leases by which nodes show that they are alive. */
export const leaseNamespace = 'kube-node-lease'

/** The time in the form that objects use: whole seconds. */
export const timestamp = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
