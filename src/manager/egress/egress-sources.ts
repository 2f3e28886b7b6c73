import type { ApiClient } from '../../kube/client.ts'
import type { ResourceRef } from '../../kube/objects.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../../kube/reflector.ts'
import type { ReflectorObserver } from '../../kube/reflector-observer.ts'
import type { RoomOptions } from '../../kube/room.ts'
import { roomsFor } from '../rooms.ts'
import type { EgressSources } from './egress-directory.ts'
import { alivePods, endpointSlices, type IpOwner, pods, Slimmer, services } from './ip-owner.ts'
import type { Kind } from './watched-kinds.ts'

export interface EgressSourcesOptions {
  /** The reflectors use the clock of this client. */
  client: ApiClient
  observer?: (plural: string) => ReflectorObserver
  timing?: Partial<ReflectorTiming>
  /** Default: the limits of a manager without a memory limit. */
  rooms?: Record<Kind, RoomOptions<IpOwner>>
  /**
   * This function adds the running reflectors to the map, by the plural of their kind, and removes stopped reflectors.
   */
  running?: Map<string, { outlines: number }>
}

/** Reflectors of a cluster's Pods, Services and EndpointSlices that keep only addresses and labels. */
export function egressSources(options: EgressSourcesOptions): EgressSources {
  const { client, observer, timing = {}, rooms = roomsFor(0).addressed, running } = options
  const slim = new Slimmer(client.caller.random)
  const reflect = (
    ref: ResourceRef<IpOwner>,
    transform: (object: IpOwner) => IpOwner,
    room: RoomOptions<IpOwner>,
    fieldSelector?: string,
  ): Reflector<IpOwner> => {
    const given = observer?.(ref.plural) ?? {}
    const reflector: Reflector<IpOwner> = new Reflector({
      source: clientSource(client, ref, fieldSelector === undefined ? {} : { fieldSelector }),
      clock: client.caller.clock,
      random: client.caller.random,
      ...{ transform, timing, room },
      observer: {
        ...given,
        state(now, before) {
          if (now === 'stopped' && running?.get(ref.plural) === reflector) running.delete(ref.plural)
          given.state?.(now, before)
        },
      },
    })
    running?.set(ref.plural, reflector)
    return reflector
  }
  return {
    pods: () => reflect(pods, slim.pod, rooms.pods, alivePods),
    services: () => reflect(services, slim.service, rooms.services),
    slices: () => reflect(endpointSlices, slim.slice, rooms.slices),
  }
}
