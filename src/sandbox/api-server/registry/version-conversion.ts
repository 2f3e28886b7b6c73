import type { KubeObject } from '../kube-object.ts'
import { apiVersionOf, type Resource } from './resource.ts'

/** Fields of core/v1 Events and what events.k8s.io/v1 calls them, where the names differ. */
const eventNames: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
]
const toEvents = new Map(eventNames)
const toCore = new Map(eventNames.map(([core, events]) => [events, core]))

const renamed = (event: KubeObject, names: ReadonlyMap<string, string>, apiVersion: string): KubeObject => {
  const fields = Object.entries(event).map(([name, value]) => [names.get(name) ?? name, value])
  return { ...Object.fromEntries(fields), apiVersion } as KubeObject
}

/** A stored object in the version in which a resource is served. The same object where nothing differs. */
export function fromStorage(resource: Resource, stored: KubeObject): KubeObject {
  if (stored.apiVersion === resource.apiVersion) return stored
  if (resource.group === 'events.k8s.io') return renamed(stored, toEvents, resource.apiVersion)
  if (!resource.custom) return stored
  // Custom resources convert by strategy None: another apiVersion, and the fields and defaults of that version.
  const { schema } = resource.custom
  const { object } = schema.prune({ ...stored, apiVersion: resource.apiVersion })
  return schema.applyDefaults(object) as KubeObject
}

/** An object of a resource as it is stored: events as those of the core group, which have the same objects. */
export function toStorage(resource: Resource, object: KubeObject): KubeObject {
  if (resource.group === 'events.k8s.io') return renamed(object, toCore, 'v1')
  if (!resource.custom) return object
  const apiVersion = apiVersionOf(resource.group, resource.custom.storageVersion)
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion }
}
