import { type ResourceCall, timestamp } from '../../context.ts'
import type { KubeObject } from '../../kube-object.ts'
import { fromStorage } from '../../registry/version-conversion.ts'
import { type ApiResponse, json } from '../../request.ts'
import { type JsonObject, listOf, numberOf, objectOf } from '../../schema/json.ts'
import { matchesLabels } from '../../selectors/label-requirement.ts'
import { labelSelectorRequirements } from '../../selectors/label-selector-object.ts'
import { ApiStatusError, badRequest, internalFailure, success, tooManyRequests } from '../../status.ts'
import { decodeObject } from '../decode-body.ts'
import { deleteObject } from '../delete-object.ts'
import { deleteOptions, writeOptions } from '../options.ts'
import { readStored } from '../read-object.ts'

const budgets = 'policy/poddisruptionbudgets'

/** POST of `pods/eviction`: deletes the pod if its disruption budget has room for it. */
export async function handleEviction(call: ResourceCall): Promise<ApiResponse> {
  const options = writeOptions(call.query, 'Create')
  const eviction = decodeObject(call, options)
  if (eviction.metadata.name !== call.info.name) throw badRequest('name in URL does not match name in Eviction object')
  const asked = deleteOptions(new URLSearchParams(), { ...objectOf(eviction['deleteOptions']) })
  const dryRun = options.dryRun || asked.dryRun
  const pod = fromStorage(call.resource, readStored(call))
  if (isDisruption(pod)) takeFromBudget(call, pod, dryRun)
  await deleteObject({ ...call, subresource: undefined }, pod.metadata.name, { ...asked, dryRun })
  return json(201, { ...success(), code: 201 } as unknown as JsonObject)
}

/** A pod that has ended, waits or is on its way out is none that its budget counts on. */
function isDisruption(pod: KubeObject): boolean {
  const { phase } = objectOf(pod['status'])
  return phase !== 'Succeeded' && phase !== 'Failed' && phase !== 'Pending' && !pod.metadata.deletionTimestamp
}

function takeFromBudget(call: ResourceCall, pod: KubeObject, dryRun: boolean): void {
  const found = [...call.context.store.walk(budgets, call.info.namespace)].filter((budget) => selects(budget, pod))
  if (found.length > 1)
    throw internalFailure(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    )
  const budget = found[0]
  if (!budget || isUnhealthyAndFree(pod, budget)) return
  const status = objectOf(budget['status'])
  if (numberOf(status['observedGeneration']) < (budget.metadata.generation ?? 0)) throw notYetCounted(budget)
  const allowed = numberOf(status['disruptionsAllowed'])
  if (allowed <= 0) throw exhausted(budget, status)
  if (dryRun) return
  const disruptedPods = {
    ...objectOf(status['disruptedPods']),
    [pod.metadata.name]: timestamp(call.context.clock.now()),
  }
  call.context.store.update(budgets, budget, {
    ...budget,
    status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods },
  })
}

function selects(budget: KubeObject, pod: KubeObject): boolean {
  const requirements = labelSelectorRequirements(objectOf(budget['spec'])['selector'])
  return requirements !== undefined && matchesLabels(requirements, pod.metadata.labels)
}

function isUnhealthyAndFree(pod: KubeObject, budget: KubeObject): boolean {
  const ready = listOf(objectOf(pod['status'])['conditions'])
    .map(objectOf)
    .some(({ type, status }) => type === 'Ready' && status === 'True')
  if (ready) return false
  if (objectOf(budget['spec'])['unhealthyPodEvictionPolicy'] === 'AlwaysAllow') return true
  const { currentHealthy, desiredHealthy } = objectOf(budget['status'])
  return numberOf(desiredHealthy) > 0 && numberOf(currentHealthy) >= numberOf(desiredHealthy)
}

const withCause = (error: ApiStatusError, message: string): ApiStatusError =>
  new ApiStatusError({
    ...error.status,
    details: { ...error.status.details, causes: [{ reason: 'DisruptionBudget', message }] },
  })

const violation = "Cannot evict pod as it would violate the pod's disruption budget."

const notYetCounted = ({ metadata }: KubeObject): ApiStatusError =>
  withCause(
    tooManyRequests(violation, 10),
    `The disruption budget ${metadata.name} is still being processed by the server.`,
  )

const exhausted = ({ metadata }: KubeObject, status: JsonObject): ApiStatusError =>
  withCause(
    tooManyRequests(violation, 0),
    `The disruption budget ${metadata.name} needs ${numberOf(status['desiredHealthy'])} healthy pods and has ${numberOf(status['currentHealthy'])} currently`,
  )
