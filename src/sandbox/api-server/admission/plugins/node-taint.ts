import { listOf, objectOf } from '../../schema/json.ts'
import type { AdmissionPlugin } from '../admission-chain.ts'

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

/** A new node is not ready until it says so (Kubernetes' TaintNodesByCondition). */
export const nodeTaint: AdmissionPlugin = {
  mutate({ object, operation, resource, subresource }) {
    if (resource.storage !== '/nodes' || operation !== 'CREATE' || subresource !== '' || !object) return undefined
    const spec = objectOf(object['spec'])
    const taints = listOf(spec['taints']).map(objectOf)
    if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return undefined
    return { ...object, spec: { ...spec, taints: [...taints, notReady] } }
  },
}
