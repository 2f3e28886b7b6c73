import type { KubeObject } from '../kube-object.ts'
import { objectOf, textOf } from '../schema/json.ts'
import type { Store } from '../store/store.ts'

/** The first unused address of 10.96.0.2, 10.96.0.3, … */
function freeAddress(store: Store): string {
  const taken = new Set([...store.walk('/services')].map((service) => objectOf(service['spec'])['clusterIP']))
  for (let number = 2; ; number++) {
    const address = `10.96.${number >> 8}.${number & 255}`
    if (!taken.has(address)) return address
  }
}

/**
 * Gives a service a cluster address, which stays the same after updates. No process listens on this address or on node
 * ports.
 */
export function completeService(store: Store, draft: KubeObject, old: KubeObject | undefined): void {
  const spec = objectOf(draft['spec'])
  if (spec['type'] === 'ExternalName') return
  const clusterIP = textOf(spec['clusterIP']) || textOf(objectOf(old?.['spec'])['clusterIP']) || freeAddress(store)
  const external = ['NodePort', 'LoadBalancer'].includes(textOf(spec['type']))
    ? { externalTrafficPolicy: 'Cluster' }
    : {}
  const defaults = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', ...external }
  draft['spec'] = { ...defaults, ...spec, clusterIP, clusterIPs: [clusterIP] }
}
