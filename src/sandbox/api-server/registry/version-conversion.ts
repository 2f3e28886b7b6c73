import type { KubeObject } from '../kube-object.ts'
import { asCoreV1, asEventsV1 } from './event-conversion.ts'
import { apiVersionOf, type Resource } from './resource.ts'

/** A stored object in the version in which a resource is served. The same object where nothing differs. */
export function fromStorage(resource: Resource, stored: KubeObject): KubeObject {
  if (stored.apiVersion === resource.apiVersion) return stored
  if (resource.group === 'events.k8s.io') return asEventsV1(stored)
  if (!resource.custom) return stored
  // Custom resources convert by strategy None: another apiVersion, and the fields and defaults of that version.
  const { schema } = resource.custom
  const { object } = schema.prune({ ...stored, apiVersion: resource.apiVersion })
  return schema.applyDefaults(object) as KubeObject
}

/** An object of a resource as it is stored. */
export function toStorage(resource: Resource, object: KubeObject): KubeObject {
  if (resource.group === 'events.k8s.io') return asCoreV1(object)
  if (!resource.custom) return object
  const apiVersion = apiVersionOf(resource.group, resource.custom.storageVersion)
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion }
}
