import { groupResource, namespaceOf, type ResourceCall, timestamp } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { type ApiResponse, json, text } from '../request.ts'
import { clone, listOf, objectOf, textOf } from '../schema/json.ts'
import { badRequest, conflict, notFound, success } from '../status.ts'
import { decodeObject } from './decode-body.ts'
import { writeOptions } from './options.ts'
import { updateObject } from './write-object.ts'

/** @throws {ApiStatusError} 404 */
export function readStored({ context, resource, ...call }: ResourceCall): KubeObject {
  const { name } = call.info
  const stored = context.store.get(resource.storage, namespaceOf({ context, resource, ...call }), name)
  if (!stored) throw notFound(groupResource(resource), name)
  return stored
}

/** Handles POST of `pods/binding`, with which a scheduler gives the pod its node, only once. */
export async function handleBinding(call: ResourceCall): Promise<ApiResponse> {
  const options = writeOptions(call.query, 'Create')
  const binding = decodeObject(call, options)
  const node = textOf(objectOf(binding['target'])['name'])
  if (node === '') throw badRequest('target.name: Required value')
  const produce = (current: KubeObject | undefined): KubeObject => bound(call, current!, binding, node)
  await updateObject(call, { name: call.info.name, produce, isWhole: true }, options)
  return json(201, success({ code: 201 }))
}

function bound({ context }: ResourceCall, current: KubeObject, { metadata }: KubeObject, node: string): KubeObject {
  const pod = clone(current)
  const spec = objectOf(pod['spec'])
  const { name, uid, deletionTimestamp } = pod.metadata
  const refuse = (problem: string): Error => conflict({ group: '', resource: 'pods/binding' }, name, problem)
  if (metadata.uid && metadata.uid !== uid)
    throw refuse(`Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`)
  if (deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
  if (spec['nodeName']) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(spec['nodeName'])}`)
  const lastTransitionTime = timestamp(context.clock.now())
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime }
  const status = objectOf(pod['status'])
  const others = listOf(status['conditions']).filter((one) => objectOf(one)['type'] !== 'PodScheduled')
  return { ...pod, spec: { ...spec, nodeName: node }, status: { ...status, conditions: [...others, scheduled] } }
}

const names = (list: unknown): string[] => listOf(list).map((one) => textOf(objectOf(one)['name']))

/** Handles `pods/log` and `pods/exec`: returns the answer of the kubelet on the pod's node. */
export async function handlePodConnection(call: ResourceCall): Promise<ApiResponse> {
  const pod = readStored(call)
  const { name } = pod.metadata
  const spec = objectOf(pod['spec'])
  const containers = names(spec['containers'])
  const wanted = call.query.get('container') ?? ''
  if (wanted === '' && containers.length > 1)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${containers.join(' ')}]`)
  if (![...containers, ...names(spec['initContainers']), ''].includes(wanted))
    throw badRequest(`container ${wanted} is not valid for pod ${name}`)
  const nodeName = textOf(spec['nodeName'])
  const subresource = call.subresource!.name
  if (nodeName === '' && subresource === 'log') return text(200, '')
  if (nodeName === '') throw badRequest(`pod ${name} does not have a host assigned`)
  const node = call.context.store.get('/nodes', '', nodeName)
  if (!node) throw notFound({ group: '', resource: 'nodes' }, nodeName)
  return call.context.nodes.pod(node, pod, subresource, call.request)
}
