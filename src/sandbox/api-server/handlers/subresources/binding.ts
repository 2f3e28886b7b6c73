import { groupResource, type ResourceCall } from '../../context.ts'
import type { KubeObject } from '../../kube-object.ts'
import { type ApiResponse, json } from '../../request.ts'
import { clone, type JsonObject, listOf, objectOf, textOf } from '../../schema/json.ts'
import { badRequest, conflict, success } from '../../status.ts'
import { decodeObject } from '../decode-body.ts'
import { writeOptions } from '../options.ts'
import { updateObject } from '../update-object.ts'

/** POST of `pods/binding` by a scheduler: the pod gets its node, once. */
export async function handleBinding(call: ResourceCall): Promise<ApiResponse> {
  const options = writeOptions(call.query, 'Create')
  const binding = decodeObject(call, options)
  if (binding.metadata.name !== call.info.name) throw badRequest('name in URL does not match name in Binding object')
  const node = textOf(objectOf(binding['target'])['name'])
  if (node === '') throw badRequest('target.name: Required value')
  const { user } = call
  await updateObject(
    { ...call, user },
    {
      name: call.info.name,
      createMissing: false,
      produce: (current) => bound(call, current!, binding, node),
      prepare: () => undefined,
    },
    { ...options, fieldValidation: 'Ignore' },
  )
  return json(201, { ...success(), code: 201 } as unknown as JsonObject)
}

function bound(call: ResourceCall, current: KubeObject, binding: KubeObject, node: string): KubeObject {
  const pod = clone(current)
  const spec = objectOf(pod['spec'])
  const { name, uid } = current.metadata
  const refuse = (problem: string): Error =>
    conflict({ ...groupResource(call.resource), resource: 'pods/binding' }, name, problem)
  if (binding.metadata.uid && binding.metadata.uid !== uid)
    throw conflict(
      groupResource(call.resource),
      name,
      `Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${uid}`,
    )
  if (current.metadata.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
  if (textOf(spec['nodeName']) !== '')
    throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(spec['nodeName'])}`)
  if (listOf(spec['schedulingGates']).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`)
  const annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations }
  const labels = { ...pod.metadata.labels, ...binding.metadata.labels }
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: stamp(call) }
  const status = objectOf(pod['status'])
  const others = listOf(status['conditions']).filter((one) => objectOf(one)['type'] !== 'PodScheduled')
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
    },
    spec: { ...spec, nodeName: node },
    status: { ...status, conditions: [...others, scheduled] },
  }
}

const stamp = ({ context }: ResourceCall): string => `${new Date(context.clock.now()).toISOString().slice(0, 19)}Z`
