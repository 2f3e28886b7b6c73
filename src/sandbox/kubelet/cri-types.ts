// Messages of CRI (k8s.io/cri-api, pkg/apis/runtime/v1/api.proto), as protobuf.js gives them: 64-bit numbers as text,
// enums by name. Requests may leave out what is empty.

export interface SecurityProfile {
  profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost'
  localhostRef?: string
}

export interface NamespaceOption {
  network: 'POD' | 'NODE'
  pid: 'POD' | 'CONTAINER' | 'NODE'
  ipc: 'POD' | 'NODE'
}

export interface PodSandboxConfig {
  metadata: { name: string; namespace: string; uid: string; attempt: number }
  hostname?: string
  logDirectory: string
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
  linux: object
}

export interface Mount {
  containerPath: string
  hostPath: string
  readonly?: boolean
  propagation?: 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL'
}

export interface LinuxResources {
  cpuPeriod?: number
  cpuQuota?: number
  cpuShares?: number
  memoryLimitInBytes?: number
  oomScoreAdj?: number
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number }
  image: { image: string; userSpecifiedImage?: string }
  command: readonly string[]
  args: readonly string[]
  workingDir: string
  /** UTF-8. */
  envs: readonly { key: string; value: Uint8Array }[]
  mounts: readonly Mount[]
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
  logPath: string
  stdin: boolean
  stdinOnce: boolean
  tty: boolean
  linux: { resources: LinuxResources; securityContext: object }
}

export interface CriSandbox {
  id: string
  metadata: { name: string; namespace: string; uid: string; attempt: number } | null
  state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY'
  /** Nanoseconds since the epoch. */
  createdAt: string
  labels: Readonly<Record<string, string>>
}

export type CriContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN'

export interface CriContainer {
  id: string
  podSandboxId: string
  metadata: { name: string; attempt: number } | null
  state: CriContainerState
  createdAt: string
  labels: Readonly<Record<string, string>>
}

export interface CriContainerStatus {
  id: string
  metadata: { name: string; attempt: number } | null
  state: CriContainerState
  /** Nanoseconds since the epoch; 0 for what has not been. */
  createdAt: string
  startedAt: string
  finishedAt: string
  exitCode: number
  image: { image: string } | null
  imageRef: string
  reason: string
  message: string
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
  mounts: readonly { containerPath: string; hostPath: string }[]
  logPath: string
}

export interface CriImage {
  id: string
  repoTags: readonly string[]
  repoDigests: readonly string[]
  uid: { value: string } | null
  username: string
}

/** Labels by which a kubelet finds again what is its own (kubernetes, pkg/kubelet/types/labels.go). */
export const podNameLabel = 'io.kubernetes.pod.name'
export const podNamespaceLabel = 'io.kubernetes.pod.namespace'
export const podUidLabel = 'io.kubernetes.pod.uid'
export const containerNameLabel = 'io.kubernetes.container.name'
export const restartCountAnnotation = 'io.kubernetes.container.restartCount'
export const terminationPathAnnotation = 'io.kubernetes.container.terminationMessagePath'
export const terminationPolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy'

/** CRI's nanoseconds as milliseconds. */
export const milliseconds = (nanoseconds: string): number => Math.floor(Number(BigInt(nanoseconds) / 1_000_000n))
