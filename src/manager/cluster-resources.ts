import type { Workload, WorkloadKind } from '../../actors/ports.ts'
import type { KubeObject, ResourceRef } from '../kube/objects.ts'
import { defineResource } from '../kube/resources.ts'

/** core/v1 Node, as far as it matters whether profiles are to be loaded there and whether pods can land. */
export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean }
  status?: { conditions?: { type: string; status: string }[] }
}

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
