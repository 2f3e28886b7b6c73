import type { Pod as ConfinedPod, ContainerSpec, PodTemplate, Workload, WorkloadKind } from '../../actors/ports.ts'
import { RESTARTED_AT } from '../../actors/rollout/restarted-at.ts'
import { confinementPrefixes } from '../api/annotations.ts'
import type { KubeObject, ObjectMeta, ResourceRef } from '../kube/objects.ts'
import { defineResource } from '../kube/resources.ts'
import type { Placement, Taint } from '../kube/scheduling.ts'

/** The part of a core/v1 Node that shows whether agents load profiles there, and whether pods can run there. */
export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean; taints?: Taint[] }
  status?: { conditions?: { type: string; status: string }[]; nodeInfo?: { bootID?: string } }
}

/**
 * A transform for reflectors: keeps only the fields of the type `Node` and the labels. A complete Node lists 50 images
 * and takes about 15 KB, so ten thousand Nodes would fill most of a manager's memory.
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
 * Maximum characters of a boot ID, which is a UUID of 36 characters. The node itself reports it, so a stolen node could
 * use a long text to fill the manager's memory.
 */
const maxBoot = 64

/** ID of the node's boot; empty if the node does not report it. */
function bootOf({ status }: { status?: Node['status'] | undefined }): string {
  const { bootID = '' } = status?.nodeInfo ?? {}
  return bootID.length > maxBoot ? '' : bootID
}

/** Whether the node was replaced by another node of the same name. */
export const isAnotherNode = (before: Node, now: Node): boolean => before.metadata?.uid !== now.metadata?.uid

/** Whether the node has rebooted in between. A reboot removes all profiles from its kernel. */
export function isAnotherBoot(before: Node, now: Node): boolean {
  const [old, bootID] = [bootOf(before), bootOf(now)]
  return old !== '' && bootID !== '' && old !== bootID
}

/**
 * A transform for reflectors: keeps only the parts of a workload that actors and admission read. Tenants choose the
 * size of the other parts, such as arguments and environments: 300 Deployments of 1.4 MiB would exhaust a manager's
 * memory.
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

/**
 * Prefixes of the annotations that are read. If a workload has only other annotations, an empty map is kept, because a
 * patch depends on it.
 */
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
  const { nodeName, nodeSelector, tolerations, affinity, serviceAccountName, os, runtimeClassName } =
    spec as PodSpec & {
      os?: { name?: string }
      runtimeClassName?: string
    }
  const { containers, initContainers, securityContext } = spec
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return defined({
    ...{ nodeName, nodeSelector, tolerations, serviceAccountName, os, runtimeClassName },
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

/** The spec of a pod template. It has more fields than actors read. */
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

/** The part of a core/v1 Pod that shows its owner and its confinement. */
export interface Pod extends KubeObject {
  spec?: NonNullable<ConfinedPod['spec']> & { nodeName?: string }
  status?: { phase?: string }
}

export const pods = defineResource<Pod>({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })

/**
 * Whether the pod belongs to the workload: the selectors of other workloads may match the pod, too. The pods of a
 * Deployment belong to its ReplicaSets.
 */
export function isOf({ metadata }: Pod, kind: WorkloadKind, uid: string): boolean {
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true)
  return kind === 'Deployment' ? owner?.kind === 'ReplicaSet' : owner?.uid === uid
}

export const isAlive = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
