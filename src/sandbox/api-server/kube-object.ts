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

/** One API object. What is stored is frozen through and through: whoever wants to change it takes a `clone` first. */
export interface KubeObject extends JsonObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

/** Freezes a JSON value with all that is in it. Parts that are frozen already are taken to be so all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const key in value) deepFreeze(value[key])
  return value
}

/**
 * The same object with other metadata fields; what is not named is shared. Assigned, not spread: V8 gave each spread object
 * a hidden class of its own, and whatever walks over stored objects took three times as long.
 */
export const withMetadata = (object: KubeObject, changes: Partial<ObjectMeta>): KubeObject =>
  Object.assign({}, object, { metadata: Object.assign({}, object.metadata, changes) })

/** The key of an object among those of its resource: `namespace/name`, or `name` where there are no namespaces. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : name
}
