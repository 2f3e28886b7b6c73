import type { ResourceCall } from '../../context.ts'
import { type ApiResponse, text } from '../../request.ts'
import { listOf, objectOf, textOf } from '../../schema/json.ts'
import { badRequest, notFound } from '../../status.ts'
import { readStored } from '../read-object.ts'
import { refusal } from '../refusal.ts'

/** `pods/log`, `exec`, `attach`, `portforward` and `proxy`: what the kubelet of the pod's node answers. */
export async function handlePodConnection(call: ResourceCall): Promise<ApiResponse> {
  const subresource = call.subresource!.name
  if (subresource !== 'log' && subresource !== 'proxy') checkCreation(call)
  const pod = readStored(call)
  const spec = objectOf(pod['spec'])
  if (subresource !== 'proxy' && subresource !== 'portforward') checkContainer(call, pod.metadata.name, spec)
  const name = textOf(spec['nodeName'])
  if (name === '' && subresource === 'log') return text(200, '')
  if (name === '') throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
  const node = call.context.store.get('/nodes', '', name)
  if (!node) throw notFound({ group: '', resource: 'nodes' }, name)
  return call.context.nodes.pod(node, pod, subresource, call.request)
}

/** To begin a session is to create one, though a WebSocket can only begin with a GET. @throws {ApiStatusError} 403 */
function checkCreation({ context, info, user }: ResourceCall): void {
  const asked = { ...info, user, verb: 'create' }
  const { allowed, reason } = context.authorizer.authorize(asked)
  if (!allowed) throw refusal(asked, reason)
}

const names = (list: unknown): string[] => listOf(list).map((one) => textOf(objectOf(one)['name']))

function checkContainer(call: ResourceCall, pod: string, spec: ReturnType<typeof objectOf>): void {
  const containers = names(spec['containers'])
  const others = [...names(spec['initContainers']), ...names(spec['ephemeralContainers'])]
  const wanted = call.query.get('container') ?? ''
  if (wanted !== '' && !containers.includes(wanted) && !others.includes(wanted))
    throw badRequest(`container ${wanted} is not valid for pod ${pod}`)
  if (wanted !== '' || containers.length <= 1) return
  const inits = names(spec['initContainers'])
  const more = inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : ''
  throw badRequest(`a container name must be specified for pod ${pod}, choose one of: [${containers.join(' ')}]${more}`)
}
