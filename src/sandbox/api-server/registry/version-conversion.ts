import type { KubeObject } from '../kube-object.ts'
import type { Resource } from './resource.ts'

/** Fields of Events whose names differ between core/v1 and events.k8s.io/v1, with both names. */
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

/** A stored object in the version of a served resource. Only Events differ from their stored form. */
export const fromStorage = ({ group, apiVersion }: Resource, stored: KubeObject): KubeObject =>
  group === 'events.k8s.io' ? renamed(stored, toEvents, apiVersion) : stored

/** The stored form of a resource's object. All Events are stored as core/v1, because both groups share them. */
export const toStorage = ({ group }: Resource, object: KubeObject): KubeObject =>
  group === 'events.k8s.io' ? renamed(object, toCore, 'v1') : object
