import { isoTime, type WallMs } from '../base/clock.ts'
import type { KubeObject, ObjectMeta, ResourceRef } from './objects.ts'

/** A reference to a kind, with the type of its objects: `defineResource<Lease>({ … })`. */
export function defineResource<T extends KubeObject>(ref: Omit<ResourceRef, 'of'>): ResourceRef<T> {
  return ref
}

/** coordination.k8s.io/v1 Lease, with the fields of leader election. */
export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string
    leaseDurationSeconds?: number
    /** RFC 3339 with microseconds. */
    acquireTime?: string
    renewTime?: string
    leaseTransitions?: number
  }
}

/** core/v1 ObjectReference. */
export interface ObjectReference {
  apiVersion?: string
  kind?: string
  namespace?: string
  name?: string
  uid?: string
  resourceVersion?: string
  fieldPath?: string
}

/** events.k8s.io/v1 Event, without the fields of the older core/v1 Event. */
export interface KubeEvent extends KubeObject {
  metadata: ObjectMeta
  /** Time of the first occurrence, as RFC 3339 with microseconds. */
  eventTime: string
  /** For repeated events: the number of occurrences, and the time of the last occurrence. */
  series?: { count: number; lastObservedTime: string }
  reportingController: string
  reportingInstance: string
  action: string
  reason: string
  regarding: ObjectReference
  related?: ObjectReference
  note?: string
  type: 'Normal' | 'Warning'
}

export const leases = defineResource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
})

export const events = defineResource<KubeEvent>({
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
})

/** Milliseconds since the Unix epoch as meta/v1 MicroTime. */
export const microTime = (time: WallMs): string => isoTime(time).replace('Z', '000Z')
