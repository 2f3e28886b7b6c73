import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import type { KubeObject } from './kube-object.ts'
import type { NodeProxy } from './node-proxy.ts'
import { type ApiRequest, type ApiResponse, queryOf } from './request.ts'
import { listOf, numberOf, objectOf, textOf } from './schema/json.ts'
import { badRequest, internalError, notFound } from './status.ts'

/** PEM: how the API server shows kubelets who it is, and by which authority it knows them. */
export interface KubeletCredentials {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** Milliseconds for a connection to come about. */
const patience = 10_000
/** Bytes of a refusal that are read. */
const longestRefusal = 64 * 1024
/** Where a node can be reached, the best first. */
const addressTypes = ['ExternalIP', 'InternalIP', 'Hostname']
/** The headers with which a client asks for a WebSocket, or for SPDY. */
const upgradeHeaders = /^(upgrade|connection|sec-websocket-[a-z-]+|x-stream-protocol-version)$/
/** Names of the parameters of `pods/exec`, and of the kubelet's. */
const streams = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' } as const

/** Hands `pods/log` and `pods/exec` on to the kubelet of the node, at the address and port that its Node names. */
export const kubeletProxy = (credentials: () => Promise<KubeletCredentials>): NodeProxy => ({
  async pod(node, pod, subresource, request) {
    if (subresource === 'log') return log(await credentials(), node, pod, request)
    if (subresource === 'exec') return exec(await credentials(), node, pod, request)
    throw badRequest(`pod ${pod.metadata.name}: ${subresource} is not supported by this cluster`)
  },
})

async function log(
  credentials: KubeletCredentials,
  node: KubeObject,
  pod: KubeObject,
  request: ApiRequest,
): Promise<ApiResponse> {
  const query = queryOf(request)
  const answer = await ask(credentials, node, podPath('containerLogs', pod, query), query)
  if (answer.type === 'upgraded')
    throw internalError(`node ${node.metadata.name} answered a request for a log with an upgrade`)
  const { response } = answer
  if (response.statusCode !== 200) throw await refusal(response, pod)
  const headers = { 'content-type': response.headers['content-type'] ?? 'text/plain' }
  return { type: 'stream', code: 200, headers, chunks: response, close: () => void response.destroy() }
}

async function exec(
  credentials: KubeletCredentials,
  node: KubeObject,
  pod: KubeObject,
  request: ApiRequest,
): Promise<ApiResponse> {
  const { headers = {} } = request
  if (headers['upgrade'] === undefined) throw badRequest('Upgrade request required')
  const query = queryOf(request)
  const { method } = request
  const asked = { method, headers: keptHeaders(headers) }
  const answer = await ask(credentials, node, podPath('exec', pod, query), kubeletQuery(query), asked)
  if (answer.type === 'response') throw await refusal(answer.response, pod)
  return { type: 'upgrade', code: 101, headers: keptHeaders(answer.headers), backend: answer.socket, head: answer.head }
}

function podPath(what: string, pod: KubeObject, query: URLSearchParams): string {
  const { namespace = '', name } = pod.metadata
  const first = textOf(objectOf(listOf(objectOf(pod['spec'])['containers'])[0])['name'])
  return `/${[what, namespace, name, query.get('container') || first].map(encodeURIComponent).join('/')}`
}

function kubeletQuery(query: URLSearchParams): URLSearchParams {
  const made = new URLSearchParams(query.getAll('command').map((word): [string, string] => ['command', word]))
  for (const [name, own] of Object.entries(streams))
    if (['true', '1'].includes(query.get(name) ?? '')) made.set(own, '1')
  return made
}

type Answer =
  | { type: 'response'; response: IncomingMessage }
  | { type: 'upgraded'; headers: IncomingHttpHeaders; socket: Duplex; head: Buffer }

/** @throws {ApiStatusError} 500 when the node cannot be reached */
function ask(
  credentials: KubeletCredentials,
  node: KubeObject,
  path: string,
  query: URLSearchParams,
  asked: { method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const { host, port } = endpointOf(node)
  return new Promise((resolve, reject) => {
    const call = httpsRequest({
      ...credentials,
      ...asked,
      ...{ host, port, path: `${path}?${query}`, agent: false },
      // Its certificate is for the name of the node, wherever that is reached.
      servername: node.metadata.name,
    })
    const timer = setTimeout(() => call.destroy(new Error(`no answer within ${patience} ms`)), patience)
    call.once('close', () => clearTimeout(timer))
    call.once('response', (response) => {
      clearTimeout(timer)
      resolve({ type: 'response', response })
    })
    call.once('upgrade', (response, socket, head) => {
      clearTimeout(timer)
      resolve({ type: 'upgraded', headers: response.headers, socket, head })
    })
    call.on('error', (error) => reject(internalError(`error dialing backend: ${error.message}`)))
    call.end()
  })
}

function endpointOf(node: KubeObject): { host: string; port: number } {
  const { name } = node.metadata
  const status = objectOf(node['status'])
  const addresses = listOf(status['addresses']).map(objectOf)
  const host = addressTypes
    .map((type) => textOf(addresses.find((one) => one['type'] === type)?.['address']))
    .find((address) => address !== '')
  const port = numberOf(objectOf(objectOf(status['daemonEndpoints'])['kubeletEndpoint'])['Port'])
  if (host === undefined || !(port > 0)) throw notFound({ group: '', resource: 'nodes' }, name)
  return { host, port }
}

/** Those that both sides of an upgraded connection agree by. */
export const keptHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      upgradeHeaders.test(name) && value !== undefined ? [[name, String(value)]] : [],
    ),
  )

/** What a kubelet says in plain text, as an error of the API. */
async function refusal(response: IncomingMessage, pod: KubeObject): Promise<Error> {
  const chunks: Buffer[] = []
  let length = 0
  response.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length <= longestRefusal) chunks.push(chunk)
  })
  await once(response, 'close')
  const text = Buffer.concat(chunks).toString('utf8').trim()
  if (response.statusCode === 400) return badRequest(text)
  if (response.statusCode === 404) return badRequest(text || `pod ${pod.metadata.name} is not on its node`)
  return internalError(`the kubelet answered ${response.statusCode}: ${text}`)
}
