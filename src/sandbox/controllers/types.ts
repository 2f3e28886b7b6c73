import type { KubeObject, ObjectMeta, OwnerReference } from '../api-server/kube-object.ts'
import type { JsonObject, JsonValue } from '../api-server/schema/json.ts'

export type { ObjectMeta, OwnerReference }

/** The fields of Kubernetes' kinds that controllers and nodes read or write. All others pass through untouched. */
export type Typed<Spec, Status> = KubeObject & { spec: Spec; status?: Status }

export type LabelSelector = { matchLabels?: Record<string, string>; matchExpressions?: JsonObject[] }
export type IntOrPercent = number | string

export type Condition = {
  type: string
  status: string
  reason?: string
  message?: string
  lastUpdateTime?: string
  lastTransitionTime?: string | null
  lastProbeTime?: string | null
  lastHeartbeatTime?: string
  observedGeneration?: number
}

export type Toleration = {
  key?: string
  operator?: string
  value?: string
  effect?: string
  tolerationSeconds?: number
}

export type NodeSelectorTerm = { matchExpressions?: NodeRequirement[]; matchFields?: NodeRequirement[] }
export type NodeRequirement = { key: string; operator: string; values?: string[] }
export type Affinity = {
  nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: NodeSelectorTerm[] } }
  [other: string]: JsonValue | undefined
}

export type ProfileReference = { type: string; localhostProfile?: string }
export type SecurityContext = {
  privileged?: boolean
  appArmorProfile?: ProfileReference
  seccompProfile?: ProfileReference
  [other: string]: JsonValue | undefined
}

export type Container = {
  name: string
  image?: string
  restartPolicy?: string
  securityContext?: SecurityContext
  resources?: { requests?: Record<string, string | number>; limits?: Record<string, string | number> }
  [other: string]: JsonValue | undefined
}

export type PodSpec = {
  nodeName?: string
  schedulerName?: string
  restartPolicy?: string
  hostNetwork?: boolean
  terminationGracePeriodSeconds?: number
  activeDeadlineSeconds?: number
  nodeSelector?: Record<string, string>
  tolerations?: Toleration[]
  affinity?: Affinity
  containers: Container[]
  initContainers?: Container[]
  volumes?: JsonObject[]
  readinessGates?: { conditionType: string }[]
  schedulingGates?: { name: string }[]
  securityContext?: SecurityContext
  overhead?: Record<string, string | number>
  hostname?: string
  subdomain?: string
  [other: string]: JsonValue | undefined
}

export type ContainerState = {
  waiting?: { reason: string; message?: string }
  running?: { startedAt: string }
  terminated?: {
    exitCode: number
    signal?: number
    reason: string
    message?: string
    startedAt: string | null
    finishedAt: string
    containerID?: string
  }
}

export type ContainerStatus = {
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

export type PodStatus = {
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
  qosClass?: string
  nominatedNodeName?: string
}

export type Pod = Typed<PodSpec, PodStatus>

export type PodTemplate = {
  metadata?: {
    labels?: Record<string, string>
    annotations?: Record<string, string>
    [other: string]: JsonValue | undefined
  }
  spec: PodSpec
}

export type ReplicaSetSpec = {
  replicas: number
  minReadySeconds?: number
  selector: LabelSelector
  template: PodTemplate
}

export type ReplicaSetStatus = {
  replicas: number
  fullyLabeledReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  terminatingReplicas?: number
  observedGeneration?: number
  conditions?: Condition[]
}

export type ReplicaSet = Typed<ReplicaSetSpec, ReplicaSetStatus>

export type DeploymentSpec = ReplicaSetSpec & {
  strategy: { type: string; rollingUpdate?: { maxSurge?: IntOrPercent; maxUnavailable?: IntOrPercent } }
  paused?: boolean
  revisionHistoryLimit?: number
  progressDeadlineSeconds?: number
}

export type DeploymentStatus = {
  observedGeneration?: number
  replicas?: number
  updatedReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  unavailableReplicas?: number
  terminatingReplicas?: number
  collisionCount?: number
  conditions?: Condition[]
}

export type Deployment = Typed<DeploymentSpec, DeploymentStatus>

export type StatefulSetSpec = ReplicaSetSpec & {
  serviceName?: string
  podManagementPolicy?: string
  ordinals?: { start?: number }
  revisionHistoryLimit?: number
  volumeClaimTemplates?: KubeObject[]
  updateStrategy: { type: string; rollingUpdate?: { partition?: number; maxUnavailable?: IntOrPercent } }
}

export type StatefulSetStatus = {
  observedGeneration?: number
  replicas: number
  readyReplicas?: number
  availableReplicas?: number
  currentReplicas?: number
  updatedReplicas?: number
  currentRevision?: string
  updateRevision?: string
  collisionCount?: number
  conditions?: Condition[]
}

export type StatefulSet = Typed<StatefulSetSpec, StatefulSetStatus>

export type DaemonSetSpec = {
  selector: LabelSelector
  template: PodTemplate
  minReadySeconds?: number
  revisionHistoryLimit?: number
  updateStrategy: { type: string; rollingUpdate?: { maxSurge?: IntOrPercent; maxUnavailable?: IntOrPercent } }
}

export type DaemonSetStatus = {
  observedGeneration?: number
  desiredNumberScheduled: number
  currentNumberScheduled: number
  numberMisscheduled: number
  numberReady: number
  updatedNumberScheduled?: number
  numberAvailable?: number
  numberUnavailable?: number
  collisionCount?: number
}

export type DaemonSet = Typed<DaemonSetSpec, DaemonSetStatus>

export type ControllerRevision = KubeObject & { data: JsonObject; revision: number }

export type JobSpec = {
  parallelism?: number
  completions?: number
  backoffLimit?: number
  activeDeadlineSeconds?: number
  suspend?: boolean
  selector: LabelSelector
  template: PodTemplate
}

export type JobStatus = {
  active?: number
  ready?: number
  terminating?: number
  succeeded?: number
  failed?: number
  startTime?: string
  completionTime?: string
  uncountedTerminatedPods?: { succeeded?: string[]; failed?: string[] }
  conditions?: Condition[]
}

export type Job = Typed<JobSpec, JobStatus>

export type Taint = { key: string; value?: string; effect: string; timeAdded?: string }

export type NodeSpec = {
  unschedulable?: boolean
  taints?: Taint[]
  podCIDR?: string
  podCIDRs?: string[]
  providerID?: string
}

export type NodeStatus = {
  capacity?: Record<string, string | number>
  allocatable?: Record<string, string | number>
  conditions?: Condition[]
  addresses?: { type: string; address: string }[]
  nodeInfo?: JsonObject
  [other: string]: JsonValue | undefined
}

export type Node = Typed<NodeSpec, NodeStatus>

export type Lease = Typed<
  { holderIdentity?: string; leaseDurationSeconds?: number; renewTime?: string; acquireTime?: string },
  never
>
