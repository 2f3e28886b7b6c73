import type { Container, Pod, ProfileReference } from '../controllers/types.ts'

// The fields of core/v1 that only a kubelet reads; what a field means is said in Kubernetes' API reference.

export interface KeySelector {
  name?: string
  key: string
  optional?: boolean
}

export interface EnvironmentSource {
  fieldRef?: { fieldPath: string }
  configMapKeyRef?: KeySelector
  secretKeyRef?: KeySelector
  resourceFieldRef?: unknown
  fileKeyRef?: unknown
}

export interface EnvironmentVariable {
  name: string
  value?: string
  valueFrom?: EnvironmentSource
}

export interface EnvironmentFrom {
  prefix?: string
  configMapRef?: { name?: string; optional?: boolean }
  secretRef?: { name?: string; optional?: boolean }
}

export interface VolumeMount {
  name: string
  mountPath: string
  readOnly?: boolean
  subPath?: string
  subPathExpr?: string
  mountPropagation?: string
}

export interface KeyPath {
  key: string
  path: string
  mode?: number
}

export interface DownwardItem {
  path: string
  mode?: number
  fieldRef?: { fieldPath: string }
  resourceFieldRef?: unknown
}

export interface ObjectSource {
  /** Of a ConfigMap, and of a Secret in a projection. */
  name?: string
  secretName?: string
  items?: KeyPath[]
  defaultMode?: number
  optional?: boolean
}

export interface Projection {
  configMap?: ObjectSource
  secret?: ObjectSource
  downwardAPI?: { items?: DownwardItem[] }
  serviceAccountToken?: { audience?: string; expirationSeconds?: number; path: string }
  [other: string]: unknown
}

export interface Volume {
  name: string
  emptyDir?: { medium?: string; sizeLimit?: string | number }
  hostPath?: { path: string; type?: string }
  configMap?: ObjectSource
  secret?: ObjectSource
  downwardAPI?: { items?: DownwardItem[]; defaultMode?: number }
  projected?: { sources?: Projection[]; defaultMode?: number }
  [other: string]: unknown
}

export interface ContainerSecurity {
  privileged?: boolean
  appArmorProfile?: ProfileReference
  seccompProfile?: ProfileReference
  capabilities?: { add?: string[]; drop?: string[] }
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  readOnlyRootFilesystem?: boolean
  allowPrivilegeEscalation?: boolean
  procMount?: string
}

export interface PodSecurity {
  appArmorProfile?: ProfileReference
  seccompProfile?: ProfileReference
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  fsGroup?: number
  supplementalGroups?: number[]
  sysctls?: { name: string; value: string }[]
}

export interface LifecycleHandler {
  exec?: { command?: string[] }
  sleep?: { seconds: number }
  [other: string]: unknown
}

export interface ContainerFields {
  name: string
  image?: string
  imagePullPolicy?: string
  command?: string[]
  args?: string[]
  workingDir?: string
  env?: EnvironmentVariable[]
  envFrom?: EnvironmentFrom[]
  volumeMounts?: VolumeMount[]
  volumeDevices?: unknown[]
  securityContext?: ContainerSecurity
  resources?: { requests?: Record<string, string | number>; limits?: Record<string, string | number> }
  ports?: unknown[]
  lifecycle?: { preStop?: LifecycleHandler; postStart?: LifecycleHandler }
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
  terminationMessagePath?: string
  terminationMessagePolicy?: string
}

export interface PodFields {
  volumes?: Volume[]
  securityContext?: PodSecurity
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  hostUsers?: boolean
  shareProcessNamespace?: boolean
  hostname?: string
  serviceAccountName?: string
  nodeName?: string
  runtimeClassName?: string
  terminationGracePeriodSeconds?: number
}

export const fieldsOf = (container: Container): ContainerFields => container as unknown as ContainerFields

export const podFieldsOf = ({ spec }: Pod): PodFields => spec as unknown as PodFields

/** Every pod that the API server has taken has one. */
export const uidOf = ({ metadata }: Pod): string => metadata.uid ?? ''

export const namespaceOf = ({ metadata }: Pod): string => metadata.namespace ?? ''
