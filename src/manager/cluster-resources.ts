import type { Pod as ConfinedPod, ContainerSpec, PodTemplate, Workload, WorkloadKind } from '../../actors/ports.ts'
import { RESTARTED_AT } from '../../actors/rollout/restarted-at.ts'
import { confinementPrefixes } from '../api/annotations.ts'
import type { KubeObject, ObjectMeta, ResourceRef } from '../kube/objects.ts'
import { defineResource } from '../kube/resources.ts'
import type { Placement, Taint } from '../kube/scheduling.ts'

/** core/v1 Node, the part that decides whether to load profiles there and whether pods can land. */
export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean; taints?: Taint[] }
  status?: { conditions?: { type: string; status: string }[]; nodeInfo?: { bootID?: string } }
}

/**
 * A transform for reflectors: keeps of a Node what the type `Node` names, and its labels. A complete Node lists 50
 * images and takes about 15 KB; ten thousand would be most of a manager's memory.
 */
export function withoutDetails({ apiVersion, kind, metadata, spec, status }: Node): Node {
  const { annotations: _, managedFields: __, ...kept } = metadata ?? {}
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  const bootID = bootOf({ status })
  return {
    ...(apiVersion !== undefined && { apiVersion }),
    ...(kind !== undefined && { kind }),
    metadata: kept,
    ...(spec !== undefined && {
      spec: {
        ...(spec.unschedulable !== undefined && { unschedulable: spec.unschedulable }),
        ...(spec.taints !== undefined && { taints: spec.taints }),
      },
    }),
    ...((ready !== undefined || bootID !== '') && {
      status: {
        ...(ready !== undefined && { conditions: [{ type: ready.type, status: ready.status }] }),
        ...(bootID !== '' && { nodeInfo: { bootID } }),
      },
    }),
  }
}

/**
 * A UUID has 36 characters. The node itself reports it: a longer text is ignored, because a stolen node could fill the
 * manager's memory.
 */
const maxBoot = 64

/** Id of the node's boot; empty if it reports none. */
function bootOf({ status }: { status?: Node['status'] | undefined }): string {
  const { bootID = '' } = status?.nodeInfo ?? {}
  return bootID.length > maxBoot ? '' : bootID
}

/** Whether it is another node of the same name. */
export const isAnotherNode = (before: Node, now: Node): boolean => before.metadata?.uid !== now.metadata?.uid

/** Whether the node rebooted in between, so that its kernel lost all profiles. */
export function isAnotherBoot(before: Node, now: Node): boolean {
  const [old, bootID] = [bootOf(before), bootOf(now)]
  return old !== '' && bootID !== '' && old !== bootID
}

/**
 * A transform for reflectors: keeps of a workload what actors and admission read, and where it is. Tenants choose the
 * size of the rest, such as arguments, environments and annotations: 300 Deployments of 1.4 MiB would exhaust a
 * manager's memory.
 */
export function withoutPodDetails<T extends Workload>(workload: T): T {
  const { apiVersion, kind, metadata, spec, status } = workload as T & { apiVersion?: string }
  const { replicas, paused, selector, updateStrategy, template } = spec
  const { observedGeneration, replicas: all, updatedReplicas, availableReplicas, ...counts } = status ?? {}
  const { desiredNumberScheduled, updatedNumberScheduled, numberAvailable } = counts
  return defined({
    ...{ apiVersion, kind },
    metadata: withoutOthers(metadata as KeptMeta, []),
    spec: defined({
      ...{ replicas, paused, selector, updateStrategy },
      template: defined({
        metadata: template.metadata && { annotations: withoutOthers(template.metadata as KeptMeta, ours).annotations },
        spec: template.spec && withoutContainerDetails(template.spec),
      }),
    }),
    status:
      status &&
      defined({
        ...{ observedGeneration, replicas: all, updatedReplicas, availableReplicas },
        ...{ desiredNumberScheduled, updatedNumberScheduled, numberAvailable },
      }),
  }) as unknown as T
}

type KeptMeta = ObjectMeta & Record<string, unknown>

/** Prefixes of annotations that are read. Whether there are others decides how a patch is built. */
const ours = [...Object.values(confinementPrefixes), RESTARTED_AT]

function withoutOthers(metadata: KeptMeta, beginnings: readonly string[]): KeptMeta {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, labels } = metadata
  const annotations =
    metadata.annotations &&
    Object.fromEntries(
      Object.entries(metadata.annotations).filter(([key]) => beginnings.some((beginning) => key.startsWith(beginning))),
    )
  const kept = { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp }
  return defined({ ...kept, labels, annotations }) as KeptMeta
}

function withoutContainerDetails(spec: NonNullable<PodTemplate['spec']>): object {
  const { nodeName, nodeSelector, tolerations, affinity, serviceAccountName, os } = spec as PodSpec & {
    os?: { name?: string }
  }
  const { containers, initContainers, securityContext } = spec
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return defined({
    ...{ nodeName, nodeSelector, tolerations, serviceAccountName, os },
    affinity: required && { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
    containers: containers?.map(nameAndConfinement),
    initContainers: initContainers?.map(nameAndConfinement),
    securityContext: securityContext && confinementFields(securityContext),
  })
}

const nameAndConfinement = ({ name, restartPolicy, securityContext }: ContainerSpec): object =>
  defined({ name, restartPolicy, securityContext: securityContext && confinementFields(securityContext) })

const confinementFields = (context: NonNullable<ContainerSpec['securityContext']>): object => {
  const { appArmorProfile, seccompProfile, privileged } = context
  return defined({ appArmorProfile, seccompProfile, privileged })
}

/** Drops undefined fields. */
const defined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** The spec of a pod template, with fields beyond those that actors read. */
export type PodSpec = Placement & { serviceAccountName?: string }

export const podSpecOf = ({ spec }: Workload): PodSpec => (spec.template.spec ?? {}) as PodSpec

export const nodes = defineResource<Node>({
  group: '',
  version: 'v1',
  plural: 'nodes',
  kind: 'Node',
  namespaced: false,
})

const apps = (kind: WorkloadKind): ResourceRef<Workload & KubeObject> =>
  defineResource<Workload & KubeObject>({
    group: 'apps',
    version: 'v1',
    plural: `${kind.toLowerCase()}s`,
    kind,
    namespaced: true,
  })

export const workloadResources: Readonly<Record<WorkloadKind, ResourceRef<Workload & KubeObject>>> = {
  Deployment: apps('Deployment'),
  StatefulSet: apps('StatefulSet'),
  DaemonSet: apps('DaemonSet'),
}

/** core/v1 Pod, the part that shows its owner and its confinement. */
export interface Pod extends KubeObject {
  spec?: NonNullable<ConfinedPod['spec']> & { nodeName?: string }
  status?: { phase?: string }
}

export const pods = defineResource<Pod>({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })

/**
 * Whether the pod belongs to the workload: other workloads' selectors may match it, too. A Deployment's pods belong to
 * its ReplicaSets.
 */
export function isOf({ metadata }: Pod, kind: WorkloadKind, uid: string): boolean {
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true)
  return kind === 'Deployment' ? owner?.kind === 'ReplicaSet' : owner?.uid === uid
}

export const isAlive = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
