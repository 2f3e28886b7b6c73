import type { JsonObject, JsonValue } from './schema/json.ts'

export interface OwnerReference extends JsonObject {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ManagedFields extends JsonObject {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: JsonValue
  subresource?: string
}

export interface ObjectMeta extends JsonObject {
  name: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string | null
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFields[]
}

/** One API object. Stored objects are deeply frozen; use `clone` to get an object that can change. */
export interface KubeObject extends JsonObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

/** Deeply freezes a JSON value. A part that is already frozen is assumed to be deeply frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const key in value) deepFreeze(value[key])
  return value
}

/**
 * The same object with changed metadata fields; the other parts are shared. It uses Object.assign, because V8 gives
 * each spread object its own hidden class, which made walks over stored objects three times as slow.
 */
export const withMetadata = (object: KubeObject, changes: Partial<ObjectMeta>): KubeObject =>
  Object.assign({}, object, { metadata: Object.assign({}, object.metadata, changes) })

/** The key of an object within its resource: `namespace/name`, or `name` for a resource without namespaces. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : name
}
