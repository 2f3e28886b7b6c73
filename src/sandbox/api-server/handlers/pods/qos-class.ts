import type { KubeObject } from '../../kube-object.ts'
import { type JsonObject, listOf, objectOf } from '../../schema/json.ts'

const counted = ['cpu', 'memory'] as const

/** `status.qosClass` of a pod, by the requests and limits of its containers. */
export function qosClass(pod: KubeObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const spec = objectOf(pod['spec'])
  const containers = [...listOf(spec['containers']), ...listOf(spec['initContainers'])].map(objectOf)
  const resources = containers.map((container) => objectOf(container['resources']))
  if (!resources.some((one) => mentions(one))) return 'BestEffort'
  return resources.every(isGuaranteed) ? 'Guaranteed' : 'Burstable'
}

const amounts = (resources: JsonObject, field: string): JsonObject => objectOf(resources[field])

const mentions = (resources: JsonObject): boolean =>
  ['requests', 'limits'].some((field) => counted.some((name) => isPositive(amounts(resources, field)[name])))

const isPositive = (amount: unknown): boolean => amount !== undefined && !/^0+(\.0+)?[A-Za-z]*$/.test(String(amount))

function isGuaranteed(resources: JsonObject): boolean {
  const limits = amounts(resources, 'limits')
  const requests = amounts(resources, 'requests')
  return counted.every(
    (name) =>
      isPositive(limits[name]) && (requests[name] === undefined || String(requests[name]) === String(limits[name])),
  )
}
