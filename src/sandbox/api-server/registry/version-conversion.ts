import type { KubeObject } from '../kube-object.ts'
import type { Resource } from './resource.ts'

/** Fields of core/v1 Events and their events.k8s.io/v1 names, if they differ. */
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

/** A stored object in the version of a served resource. Only Events differ. */
export const fromStorage = ({ group, apiVersion }: Resource, stored: KubeObject): KubeObject =>
  group === 'events.k8s.io' ? renamed(stored, toEvents, apiVersion) : stored

/** The stored form of a resource's object: Events as core/v1, because the objects are the same. */
export const toStorage = ({ group }: Resource, object: KubeObject): KubeObject =>
  group === 'events.k8s.io' ? renamed(object, toCore, 'v1') : object
