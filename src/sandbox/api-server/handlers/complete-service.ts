import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import type { Store } from '../store/store.ts'

const specOf = (service: KubeObject | undefined): JsonObject => objectOf(service?.['spec'])
const portsOf = (service: KubeObject | undefined): JsonObject[] => listOf(specOf(service)['ports']).map(objectOf)

/** The first of 10.96.0.2, 10.96.0.3, ... that no service has. */
function freeAddress(store: Store): string {
  const taken = new Set([...store.walk('/services')].map((service) => specOf(service)['clusterIP']))
  for (let number = 2; ; number++) {
    const address = `10.96.${number >> 8}.${number & 255}`
    if (!taken.has(address)) return address
  }
}

/** Gives a service a cluster address and the node ports that it needs; an update keeps what it has. */
export function completeService(store: Store, draft: KubeObject, old: KubeObject | undefined): void {
  const spec = { ...specOf(draft) }
  draft['spec'] = spec
  const type = textOf(spec['type']) || 'ClusterIP'
  if (type === 'ExternalName') return
  spec['clusterIP'] = textOf(spec['clusterIP']) || textOf(specOf(old)['clusterIP']) || freeAddress(store)
  spec['clusterIPs'] = [spec['clusterIP']]
  spec['ipFamilies'] ??= ['IPv4']
  spec['ipFamilyPolicy'] ??= 'SingleStack'
  if (type === 'ClusterIP') return
  spec['externalTrafficPolicy'] ??= 'Cluster'
  const taken = [...store.walk('/services')].flatMap(portsOf).map(({ nodePort }) => numberOf(nodePort))
  let next = Math.max(29_999, ...taken)
  spec['ports'] = portsOf(draft).map((port) => {
    const before = portsOf(old).find((one) => one['port'] === port['port'] && one['protocol'] === port['protocol'])
    return { ...port, nodePort: port['nodePort'] ?? before?.['nodePort'] ?? ++next }
  })
}
