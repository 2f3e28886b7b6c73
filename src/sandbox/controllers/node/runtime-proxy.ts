import type { NodeProxy } from '../../api-server/node-proxy.ts'
import { type ApiRequest, type ApiResponse, queryOf } from '../../api-server/request.ts'
import { badRequest } from '../../api-server/status.ts'
import type { Container, Pod } from '../types.ts'
import type { LogOptions, PodConsole } from './pod-runtime.ts'

/** What an API server asks of the kubelets whose containers this runtime runs: logs. Terminals need a connection to the node. */
export const runtimeProxy = (runtime: PodConsole): NodeProxy => ({
  async pod(_node, object, subresource, request): Promise<ApiResponse> {
    const pod = object as Pod
    if (subresource !== 'log')
      throw badRequest(`pod ${pod.metadata.name}: ${subresource} is not supported by the nodes of the sandbox`)
    const container = containerOf(pod, queryOf(request).get('container') ?? '')
    if (!container)
      throw badRequest(`container ${queryOf(request).get('container')} is not valid for pod ${pod.metadata.name}`)
    const chunks = runtime.logs(pod, container, logOptions(request))
    return { type: 'stream', code: 200, headers: { 'content-type': 'text/plain' }, chunks }
  },
})

function containerOf({ spec }: Pod, name: string): Container | undefined {
  if (name === '') return spec.containers[0]
  return [...spec.containers, ...(spec.initContainers ?? [])].find((container) => container.name === name)
}

function logOptions(request: ApiRequest): LogOptions {
  const query = queryOf(request)
  const tail = query.get('tailLines')
  return {
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    ...(tail === null ? {} : { tailLines: Number(tail) }),
  }
}
