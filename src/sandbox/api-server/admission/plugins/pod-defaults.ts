import type { KubeObject } from '../../kube-object.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../../schema/json.ts'
import { forbidden } from '../../status.ts'
import type { Store } from '../../store/store.ts'
import type { AdmissionPlugin } from '../admission-chain.ts'
import type { AdmissionRequest } from '../admission-request.ts'

/** What Kubernetes' plugins Priority and DefaultTolerationSeconds write into each new pod. */
export function podDefaults(store: Store): AdmissionPlugin {
  return {
    mutate(request) {
      const { object, operation, resource, subresource } = request
      if (resource.storage !== '/pods' || subresource !== '' || operation !== 'CREATE' || !object) return undefined
      const spec = objectOf(object['spec'])
      return { ...object, spec: { ...spec, ...priority(request, spec, store), tolerations: tolerations(spec) } }
    },
  }
}

function priority(request: AdmissionRequest, spec: JsonObject, store: Store): JsonObject {
  const name = textOf(spec['priorityClassName'])
  const chosen = name === '' ? globalDefault(store) : store.get('scheduling.k8s.io/priorityclasses', '', name)
  if (name !== '' && !chosen)
    throw forbidden({ group: '', resource: 'pods' }, request.name, `no PriorityClass with name ${name} was found`)
  const value = chosen?.['value'] ?? 0
  const given = spec['priority']
  if (given !== undefined && given !== value)
    throw forbidden(
      { group: '', resource: 'pods' },
      request.name,
      `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    )
  return {
    priority: value,
    ...(chosen ? { priorityClassName: chosen.metadata.name } : {}),
    preemptionPolicy: spec['preemptionPolicy'] ?? chosen?.['preemptionPolicy'] ?? 'PreemptLowerPriority',
  }
}

function globalDefault(store: Store): KubeObject | undefined {
  for (const found of store.walk('scheduling.k8s.io/priorityclasses')) if (found['globalDefault'] === true) return found
  return undefined
}

const nodeProblems = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

function tolerations(spec: JsonObject): JsonObject[] {
  const given = listOf(spec['tolerations']).map(objectOf)
  const lacking = nodeProblems.filter((key) => !given.some((one) => tolerates(one, key)))
  const added = lacking.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))
  return [...given, ...added]
}

const tolerates = ({ key = '', effect = '' }: JsonObject, taint: string): boolean =>
  (key === '' || key === taint) && (effect === '' || effect === 'NoExecute')
