import type { VarmorClusterPolicy, VarmorPolicy, VarmorPolicySpec } from '../../src/api/types.ts'
import { defineResource } from '../../src/kube/resources.ts'

export const enabled = { 'sandbox.varmor.org/enable': 'true' }

const apps = (kind: string) =>
  defineResource<WorkloadObject>({
    group: 'apps',
    version: 'v1',
    plural: `${kind.toLowerCase()}s`,
    kind,
    namespaced: true,
  })

export const deployments = apps('Deployment')
export const statefulSets = apps('StatefulSet')
export const daemonSets = apps('DaemonSet')
export const pods = defineResource<PodObject>({
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  namespaced: true,
})

interface Metadata {
  name: string
  namespace: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  generation?: number
  uid?: string
  resourceVersion?: string
}

export interface ContainerPart {
  name: string
  image: string
  restartPolicy?: string
  securityContext?: {
    privileged?: boolean
    appArmorProfile?: { type: string; localhostProfile?: string }
    seccompProfile?: { type: string; localhostProfile?: string }
  }
}

export interface PodParts {
  containers: ContainerPart[]
  initContainers?: ContainerPart[]
  ephemeralContainers?: ContainerPart[]
  nodeSelector?: Record<string, string>
  terminationGracePeriodSeconds?: number
}

export interface PodObject {
  metadata: Metadata
  spec: PodParts
  status?: { phase?: string }
}

export interface WorkloadObject {
  kind: string
  metadata: Metadata
  spec: {
    replicas?: number
    selector: object
    serviceName?: string
    updateStrategy?: { type: string }
    template: {
      metadata: { labels?: Record<string, string>; annotations?: Record<string, string> }
      spec: PodParts
    }
  }
  status?: {
    observedGeneration?: number
    replicas?: number
    updatedReplicas?: number
    availableReplicas?: number
    numberAvailable?: number
    updatedNumberScheduled?: number
    desiredNumberScheduled?: number
  }
}

export const container = (name = 'main', more: Partial<ContainerPart> = {}): ContainerPart => ({
  name,
  image: 'docker.io/varmor/busybox:1',
  ...more,
})

export const podParts = (more: Partial<PodParts> = {}): PodParts => ({
  terminationGracePeriodSeconds: 0,
  containers: [container()],
  ...more,
})

export interface WorkloadParts {
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  /** Labels of the workload itself, besides `app`. */
  labels?: Record<string, string>
  annotations?: Record<string, string>
  replicas?: number
  pod?: Partial<PodParts>
  app?: string
  updateStrategy?: { type: string }
}

export function workload(namespace: string, name: string, parts: WorkloadParts = {}): WorkloadObject {
  const { kind = 'Deployment', labels = enabled, annotations, replicas = 1, pod, app = name, updateStrategy } = parts
  return {
    kind,
    metadata: { name, namespace, labels: { app, ...labels } },
    spec: {
      ...(kind !== 'DaemonSet' && { replicas }),
      ...(kind === 'StatefulSet' && { serviceName: name }),
      ...(updateStrategy !== undefined && { updateStrategy }),
      selector: { matchLabels: { name } },
      template: {
        metadata: { labels: { app, name }, ...(annotations !== undefined && { annotations }) },
        spec: podParts(pod),
      },
    },
  }
}

export const resourceOf = {
  Deployment: deployments,
  StatefulSet: statefulSets,
  DaemonSet: daemonSets,
} as const

export interface PolicyParts {
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Pod'
  app?: string
  target?: Partial<VarmorPolicySpec['target']>
  enforcer?: string
  rules?: string[]
  restart?: boolean
}

export function policySpec(parts: PolicyParts = {}): VarmorPolicySpec {
  const { kind = 'Deployment', app = 'web', target, enforcer = 'AppArmorSeccomp', restart } = parts
  return {
    target: { kind, selector: { matchLabels: { app } }, ...target },
    policy: {
      enforcer,
      mode: 'EnhanceProtect',
      enhanceProtect: { hardeningRules: parts.rules ?? ['disallow-mount'] },
    },
    ...(restart !== undefined && { updateExistingWorkloads: restart }),
  } as VarmorPolicySpec
}

export const policy = (namespace: string, name: string, parts: PolicyParts = {}): VarmorPolicy =>
  ({ kind: 'VarmorPolicy', metadata: { name, namespace }, spec: policySpec(parts) }) as VarmorPolicy

export const clusterPolicy = (name: string, parts: PolicyParts = {}): VarmorClusterPolicy =>
  ({ kind: 'VarmorClusterPolicy', metadata: { name }, spec: policySpec(parts) }) as VarmorClusterPolicy
