import type { KubeObject } from '../api-server/kube-object.ts'
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  Job,
  Lease,
  Node,
  Pod,
  ReplicaSet,
  StatefulSet,
} from './types.ts'

/** Names a resource to the API and carries the type of its objects. The field `of` never holds anything. */
export interface Resource<T extends KubeObject = KubeObject> {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly of?: T
}

const namespaced = <T extends KubeObject>(apiVersion: string, kind: string, plural: string): Resource<T> => ({
  apiVersion,
  kind,
  plural,
  namespaced: true,
})

export const pods = namespaced<Pod>('v1', 'Pod', 'pods')
export const events = namespaced<KubeObject>('v1', 'Event', 'events')
export const claims = namespaced<KubeObject>('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims')
export const deployments = namespaced<Deployment>('apps/v1', 'Deployment', 'deployments')
export const replicaSets = namespaced<ReplicaSet>('apps/v1', 'ReplicaSet', 'replicasets')
export const statefulSets = namespaced<StatefulSet>('apps/v1', 'StatefulSet', 'statefulsets')
export const daemonSets = namespaced<DaemonSet>('apps/v1', 'DaemonSet', 'daemonsets')
export const controllerRevisions = namespaced<ControllerRevision>(
  'apps/v1',
  'ControllerRevision',
  'controllerrevisions',
)
export const jobs = namespaced<Job>('batch/v1', 'Job', 'jobs')
export const leases = namespaced<Lease>('coordination.k8s.io/v1', 'Lease', 'leases')
export const nodes: Resource<Node> = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false }

/** The path of all objects of a resource, those of a namespace, or one. */
export function pathOf({ apiVersion, plural, namespaced: scoped }: Resource, namespace = '', name = ''): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const scope = scoped && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}${scope}/${plural}${name === '' ? '' : `/${encodeURIComponent(name)}`}`
}
