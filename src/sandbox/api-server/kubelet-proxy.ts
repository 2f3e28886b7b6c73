import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { KubeObject } from './kube-object.ts'
import type { NodeProxy } from './node-proxy.ts'
import { queryOf } from './request.ts'
import { listOf, numberOf, objectOf, textOf } from './schema/json.ts'
import { badRequest, internalError, notFound } from './status.ts'

/** The API server's client certificate for kubelets, and the authority of the kubelets' certificates, in PEM. */
export interface KubeletCredentials {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** Maximum milliseconds until a connection is established. */
const timeout = 10_000
/** Address types of a node, in order of preference. */
const addressTypes = ['ExternalIP', 'InternalIP', 'Hostname']
/** Headers with which a client requests a WebSocket or SPDY. */
const upgradeHeaders = /^(upgrade|connection|sec-websocket-[a-z-]+|x-stream-protocol-version)$/

/** Forwards `pods/log` and `pods/exec` to the node's kubelet, at the address and port in the Node object. */
export const kubeletProxy = (credentials: () => Promise<KubeletCredentials>): NodeProxy => ({
  async pod(node, pod, subresource, request) {
    const { method, headers = {} } = request
    const isLog = subresource === 'log'
    if (!isLog && headers['upgrade'] === undefined) throw badRequest('Upgrade request required')
    const query = queryOf(request)
    const path = podPath(isLog ? 'containerLogs' : 'exec', pod, query)
    const asked = isLog ? {} : { method, headers: keptHeaders(headers) }
    const answer = await ask(await credentials(), node, `${path}?${query}`, asked)
    if (answer instanceof IncomingMessage) {
      if (!isLog || answer.statusCode !== 200) throw await refusal(answer, pod)
      const type = { 'content-type': answer.headers['content-type'] ?? 'text/plain' }
      return { type: 'stream', code: 200, headers: type, chunks: answer, close: () => void answer.destroy() }
    }
    const { headers: given, socket, head } = answer
    return { type: 'upgrade', code: 101, headers: keptHeaders(given), backend: socket, head }
  },
})

function podPath(what: string, pod: KubeObject, query: URLSearchParams): string {
  const { namespace = '', name } = pod.metadata
  const first = textOf(objectOf(listOf(objectOf(pod['spec'])['containers'])[0])['name'])
  return `/${[what, namespace, name, query.get('container') || first].map(encodeURIComponent).join('/')}`
}

interface Upgraded {
  headers: IncomingHttpHeaders
  socket: Duplex
  head: Buffer
}

/** @throws {ApiStatusError} 500 when the node cannot be reached */
function ask(
  credentials: KubeletCredentials,
  node: KubeObject,
  path: string,
  asked: { method?: string; headers?: Readonly<Record<string, string>> },
): Promise<IncomingMessage | Upgraded> {
  return new Promise((resolve, reject) => {
    // The kubelet's certificate is for the name of the node, whatever its address is.
    const servername = node.metadata.name
    const call = httpsRequest({ ...credentials, ...asked, ...endpointOf(node), path, agent: false, servername })
    const timer = setTimeout(() => call.destroy(new Error(`the kubelet did not answer within ${timeout} ms`)), timeout)
    const answered = (answer: IncomingMessage | Upgraded): void => {
      clearTimeout(timer)
      resolve(answer)
    }
    call.once('response', answered)
    call.once('upgrade', (response, socket, head) => answered({ headers: response.headers, socket, head }))
    call.once('error', (error) => {
      clearTimeout(timer)
      reject(internalError(`error dialing backend: ${error.message}`))
    })
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

/** The headers of an upgrade, which both sides of the connection need. */
export const keptHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      upgradeHeaders.test(name) && value !== undefined ? [[name, String(value)]] : [],
    ),
  )

/** A kubelet's plain-text answer as an API error. */
async function refusal(response: IncomingMessage, pod: KubeObject): Promise<Error> {
  const said = (await text(response)).trim()
  if (response.statusCode === 400) return badRequest(said)
  if (response.statusCode === 404) return badRequest(said || `pod ${pod.metadata.name} is not on its node`)
  return internalError(`the kubelet answered ${response.statusCode}: ${said}`)
}
