import { once } from 'node:events'
import { access } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import type { GrpcClient } from '../../agent/containers/grpc-client.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import { linkedController } from '../../kube/abort.ts'
import { certificateUser } from '../api-server/http/certificate-user.ts'
import type { Pod } from '../controllers/types.ts'
import { type ProcessRequest, startProcess } from './container-process.ts'
import type { CriRuntime } from './cri-runtime.ts'
import type { CriContainer } from './cri-types.ts'
import { parseLogRequest } from './log-request.ts'
import { logFolder } from './pod-requests.ts'
import { readLog } from './read-log.ts'
import { protocols, serveCommand } from './remote-command.ts'

/** What the server asks of its kubelet. */
export interface ServedPods {
  readonly runtime: CriRuntime
  pod(namespace: string, name: string): Pod | undefined
}

export interface KubeletServerOptions {
  readonly pods: ServedPods
  readonly containerd: GrpcClient
  readonly podLogs: string
  readonly clock: Clock
  /** PEM. Clients come with certificates of this authority. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
}

/** Whose certificate a kubelet obeys: the API server's client, as kubeadm makes it. */
const master = 'system:masters'
/** Milliseconds between two looks at a log that is followed. */
const followEvery = 200

class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

interface Target {
  readonly pod: Pod
  readonly container: string
}

/** What the API server asks a kubelet for: logs and commands of its containers. It asks with a certificate, or in vain. */
export class KubeletServer {
  readonly #options: KubeletServerOptions
  readonly #server: Server
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => chosen(offered) ?? false })
  readonly #stop = new AbortController()

  constructor(options: KubeletServerOptions) {
    this.#options = options
    this.#server = createServer(
      { ...options.tls, requestCert: true, rejectUnauthorized: true },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    // A log that is followed may be silent for long.
    this.#server.requestTimeout = 0
  }

  /** @returns the port */
  async listen(): Promise<number> {
    const { host, port } = this.#options
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('The kubelet was stopped'))
    for (const socket of this.#sockets.clients) socket.terminate()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      authorize(request)
      const { path, query } = addressOf(request)
      if (path[0] === 'healthz') response.end('ok')
      else if (path[0] === 'containerLogs' && request.method === 'GET') await this.#log(path.slice(1), query, response)
      else
        throw new Refusal(
          path[0] === 'exec' ? 400 : 404,
          path[0] === 'exec' ? 'Upgrade request required' : '404 page not found',
        )
    } catch (error) {
      if (response.headersSent) response.destroy()
      else refuse(response, error)
    }
  }

  async #log(path: readonly string[], query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { clock, podLogs } = this.#options
    const target = this.#target(path)
    const { follow, previous, ...options } = logRequest(query, clock.now())
    const { container, file } = await this.#logFile(target, previous, podLogs)
    const { controller, release } = linkedController(this.#stop.signal)
    response.once('close', () => {
      controller.abort(new Error('The reader is gone'))
      release()
    })
    const following = follow && {
      follow: {
        signal: controller.signal,
        goesOn: async () => {
          const newest = await this.#newest(target)
          return newest?.id === container.id && newest.state === 'CONTAINER_RUNNING'
        },
        pause: () => sleep(clock, followEvery),
      },
    }
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    response.flushHeaders()
    for await (const chunk of readLog(file, { ...options, ...following })) {
      if (response.destroyed) return
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')])
    }
    response.end()
  }

  #newest({ pod, container }: Target): Promise<CriContainer | undefined> {
    return this.#options.pods.runtime.container(pod, container)
  }

  async #logFile(
    { pod, container: name }: Target,
    previous: boolean,
    podLogs: string,
  ): Promise<{ container: CriContainer; file: string }> {
    const container = await this.#options.pods.runtime.container(pod, name, previous ? 'previous' : 'newest')
    if (container === undefined)
      throw previous
        ? new Refusal(400, `previous terminated container "${name}" in pod "${pod.metadata.name}" not found`)
        : new Refusal(
            400,
            `container "${name}" in pod "${pod.metadata.name}" is waiting to start: ${waiting(pod, name)}`,
          )
    const file = `${logFolder(podLogs, pod)}/${name}/${container.metadata?.attempt ?? 0}.log`
    await access(file).catch((cause: unknown) => {
      throw new Refusal(500, `the log of container "${name}" cannot be read: ${String(cause)}`)
    })
    return { container, file }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    try {
      authorize(request)
      const { path, query } = addressOf(request)
      if (path[0] !== 'exec') throw new Refusal(404, '404 page not found')
      const target = this.#target(path.slice(1))
      const command = commandOf(query)
      checkProtocol(request)
      const container = await this.#newest(target)
      if (container?.state !== 'CONTAINER_RUNNING')
        throw new Refusal(404, `container not found ("${target.container}")`)
      this.#sockets.handleUpgrade(request, socket, head, (connection) => {
        connection.on('error', () => connection.terminate())
        void serveCommand(connection, command, () => startProcess(this.#options.containerd, container.id, command))
      })
    } catch (error) {
      refuseUpgrade(socket, error)
    }
  }

  #target([namespace = '', name = '', container = '']: readonly string[]): Target {
    const pod = this.#options.pods.pod(namespace, name)
    if (pod === undefined) throw new Refusal(404, `pod "${namespace}/${name}" not found`)
    const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
    if (!all.some((one) => one.name === container))
      throw new Refusal(404, `container "${container}" not found in pod "${name}"`)
    return { pod, container }
  }
}

function authorize({ socket }: IncomingMessage): void {
  const certificate = (socket as TLSSocket).getPeerX509Certificate?.()
  const organizations = certificate === undefined ? [] : certificateUser(certificate).organizations
  if (!organizations.includes(master)) throw new Refusal(403, 'Forbidden: only the API server may ask a kubelet')
}

function addressOf({ url = '/' }: IncomingMessage): { path: string[]; query: URLSearchParams } {
  const { pathname, searchParams } = new URL(url, 'https://kubelet')
  return { path: pathname.split('/').slice(1).map(decodeURIComponent), query: searchParams }
}

function logRequest(query: URLSearchParams, now: number): ReturnType<typeof parseLogRequest> {
  try {
    return parseLogRequest(query, now)
  } catch (error) {
    throw new Refusal(400, (error as RangeError).message)
  }
}

const waiting = ({ status }: Pod, name: string): string =>
  [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find((one) => one.name === name)
    ?.state.waiting?.reason ?? 'ContainerCreating'

const flag = (query: URLSearchParams, name: string): boolean => ['1', 'true'].includes(query.get(name) ?? '')

/** The parameters are the kubelet's, which are called otherwise than those of `pods/exec`. */
function commandOf(query: URLSearchParams): ProcessRequest {
  const request = {
    command: query.getAll('command'),
    stdin: flag(query, 'input'),
    stdout: flag(query, 'output'),
    stderr: flag(query, 'error'),
    tty: flag(query, 'tty'),
  }
  if (request.command.length === 0) throw new Refusal(400, 'you must specify at least one command')
  if (!request.stdin && !request.stdout && !request.stderr)
    throw new Refusal(400, 'you must specify at least 1 of stdin, stdout, stderr')
  return request
}

const chosen = (offered: ReadonlySet<string>): string | undefined => protocols.find((one) => offered.has(one))

function checkProtocol({ headers }: IncomingMessage): void {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim())
  const isWebSocket = headers.upgrade?.toLowerCase() === 'websocket'
  if (!isWebSocket || chosen(new Set(offered)) === undefined)
    throw new Refusal(400, `unable to upgrade: only WebSockets with ${protocols.join(' or ')} are supported`)
}

function textOf(error: unknown): { code: number; text: string } {
  if (error instanceof Refusal) return { code: error.code, text: error.message }
  return { code: 500, text: error instanceof Error ? error.message : String(error) }
}

function refuse(response: ServerResponse, error: unknown): void {
  const { code, text } = textOf(error)
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { code, text } = textOf(error)
  const body = Buffer.from(text)
  const head = `HTTP/1.1 ${code} Refused\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
  socket.end(Buffer.concat([Buffer.from(head), body]))
}
