import type { KubeObject } from '../kube-object.ts'
import type { JsonObject } from '../schema/json.ts'

/** Fields of core/v1 Events and what events.k8s.io/v1 calls them, where the names differ. */
const renamed: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
]

const rename = (object: JsonObject, names: ReadonlyMap<string, string>): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [names.get(name) ?? name, value]))

const toEvents = new Map(renamed.map(([core, events]) => [core, events]))
const toCore = new Map(renamed.map(([core, events]) => [events, core]))

/** A core/v1 Event, which is what is stored, as one of events.k8s.io/v1. */
export const asEventsV1 = (event: KubeObject): KubeObject =>
  ({ ...rename(event, toEvents), apiVersion: 'events.k8s.io/v1' }) as KubeObject

export const asCoreV1 = (event: KubeObject): KubeObject =>
  ({ ...rename(event, toCore), apiVersion: 'v1' }) as KubeObject
