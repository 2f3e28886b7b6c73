import type { ApiClient } from '../../kube/client.ts'
import type { ResourceRef } from '../../kube/objects.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../../kube/reflector.ts'
import type { ReflectorObserver } from '../../kube/reflector-observer.ts'
import { type Addressed, alivePods, endpointSlices, pods, Slimmer, services } from './addressed.ts'
import type { EgressSources } from './egress-directory.ts'

export interface EgressSourcesOptions {
  /** Its clock is also the reflectors' clock. */
  client: ApiClient
  observer?: (plural: string) => ReflectorObserver
  timing?: Partial<ReflectorTiming>
}

/** Reflectors of a cluster's Pods, Services and EndpointSlices that keep only addresses and labels. */
export function egressSources({ client, observer, timing = {} }: EgressSourcesOptions): EgressSources {
  const slim = new Slimmer(client.caller.random)
  const reflect = (
    ref: ResourceRef<Addressed>,
    transform: (object: Addressed) => Addressed,
    fieldSelector?: string,
  ): Reflector<Addressed> =>
    new Reflector({
      source: clientSource(client, ref, fieldSelector === undefined ? {} : { fieldSelector }),
      clock: client.caller.clock,
      random: client.caller.random,
      ...{ transform, timing },
      ...(observer !== undefined && { observer: observer(ref.plural) }),
    })
  return {
    pods: () => reflect(pods, slim.pod, alivePods),
    services: () => reflect(services, slim.service),
    slices: () => reflect(endpointSlices, slim.slice),
  }
}
