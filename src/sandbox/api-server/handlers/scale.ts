import type { ResourceCall } from '../context.ts'
import { invalidValue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import { type ApiResponse, json } from '../request.ts'
import { type JsonObject, numberOf, objectOf, textOf } from '../schema/json.ts'
import { invalid } from '../status.ts'
import { decodeObject } from './decode-body.ts'
import { writeOptions } from './options.ts'
import { readPatch } from './patch-object.ts'
import { readStored } from './pod-subresources.ts'
import { updateObject } from './write-object.ts'

/** Handles GET, PUT and PATCH of `scale`: an autoscaling/v1 object for the number of a workload's replicas. */
export async function handleScale(call: ResourceCall): Promise<ApiResponse> {
  if (call.info.verb === 'get') return json(200, scaleOf(readStored(call)))
  const read = call.info.verb === 'patch' ? readPatch(call) : undefined
  const options = read?.options ?? writeOptions(call.query, 'Update')
  const sent = read ? undefined : decodeObject(call, options)
  const produce = (current: KubeObject | undefined): KubeObject =>
    withReplicas(current!, sent ?? read!.update.produce(scaleOf(current!)))
  const { object } = await updateObject(call, { name: call.info.name, produce }, options)
  return json(200, scaleOf(object))
}

function scaleOf(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const { replicas, selector } = objectOf(object['spec'])
  const labels = objectOf(objectOf(selector)['matchLabels'])
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: replicas ? { replicas } : {},
    status: {
      replicas: numberOf(objectOf(object['status'])['replicas']),
      selector: Object.entries(labels)
        .map(([key, value]) => `${key}=${textOf(value)}`)
        .sort()
        .join(','),
    },
  }
}

function withReplicas(current: KubeObject, scale: KubeObject): KubeObject {
  const { resourceVersion = current.metadata.resourceVersion!, uid = current.metadata.uid! } = scale.metadata
  const replicas = numberOf(objectOf(scale['spec'])['replicas'])
  if (replicas < 0)
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, current.metadata.name, [
      invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ])
  const spec: JsonObject = { ...objectOf(current['spec']), replicas }
  return { ...current, spec, metadata: { ...current.metadata, resourceVersion, uid } }
}
