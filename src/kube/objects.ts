/** The fields of Kubernetes' own types that this code uses. Other fields pass through unchanged. */

/** `metadata` of every object (meta/v1 ObjectMeta). */
export interface ObjectMeta {
  name?: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: { manager?: string; operation?: string }[]
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata?: ObjectMeta
}

/** One page of a list, or all of it. */
export interface ObjectList<T> {
  apiVersion?: string
  kind?: string
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number }
  items: T[]
}

/** The server's answer if it does not return an object (meta/v1 Status). */
export interface Status {
  kind?: string
  apiVersion?: string
  status?: string
  message?: string
  reason?: string
  code?: number
  details?: {
    name?: string
    group?: string
    kind?: string
    uid?: string
    causes?: { reason?: string; message?: string; field?: string }[]
    retryAfterSeconds?: number
  }
}

/**
 * Names a kind of object for the API. The field `of` is never set: it only carries the TypeScript type of the objects.
 */
export interface ResourceRef<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly of?: T
}

/** `v1`, or `apps/v1`. */
export const apiVersionOf = ({ group, version }: ResourceRef): string =>
  group === '' ? version : `${group}/${version}`

/** The key of an object in stores and queues: `namespace/name`, or only the name for cluster-scoped objects. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata ?? {}
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

const decimal = /^(0|[1-9][0-9]*)$/

/**
 * Negative if version `one` is older than `other`, 0 if equal, positive if newer. Versions are decimal numbers of any
 * length that are comparable within one resource (KEP-5504 of Kubernetes 1.35; always true with etcd). Any other text,
 * from a server other than Kubernetes, counts as newer unless it is equal.
 */
export function compareVersions(one: string, other: string): number {
  if (one === other) return 0
  if (!decimal.test(one) || !decimal.test(other)) return 1
  return one.length - other.length || (one < other ? -1 : 1)
}
