import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { type Clock, sleep } from '../../base/clock.ts'
import { certificateUser } from '../api-server/http/certificate-user.ts'
import { join } from '../api-server/http/http-adapter.ts'
import { keptHeaders } from '../api-server/kubelet-proxy.ts'
import type { Pod } from '../controllers/objects.ts'
import { readLog } from './container-log.ts'
import type { CriContainer, CriPort, ExecRequest } from './cri.ts'
import type { CriRuntime } from './cri-runtime.ts'
import { logFolder } from './pod-requests.ts'

/** The part of a kubelet that the server uses. */
export interface ServedPods {
  readonly runtime: Pick<CriRuntime, 'container'>
  pod(namespace: string, name: string): Pod | undefined
}

export interface KubeletServerOptions {
  readonly pods: ServedPods
  readonly cri: Pick<CriPort, 'exec'>
  readonly podLogs: string
  readonly clock: Clock
  /** Certificate and key of the server, and the authority of its clients, in PEM. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  readonly host: string
  /** Port; 0 means any free port. */
  readonly port: number
}

/**
 * The group that a client's certificate must have. The API server's client certificate has this group, as with kubeadm.
 */
const master = 'system:masters'
/** Milliseconds between two checks of a followed log. */
const followEvery = 200

class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Serves the API server's requests to a kubelet: logs of containers and commands in containers. A client needs a valid
 * certificate.
 */
export class KubeletServer {
  readonly #options: KubeletServerOptions
  readonly #server: Server
  /** Connections that carry the streams of commands. */
  readonly #upgraded = new Set<Duplex>()
  #isClosed = false

  constructor(options: KubeletServerOptions) {
    this.#options = options
    this.#server = createServer(
      { ...options.tls, requestCert: true, rejectUnauthorized: true },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    // Followed logs may be silent for a long time, so requests have no timeout.
    this.#server.requestTimeout = 0
  }

  /** @returns the port on which the server listens */
  async listen(): Promise<number> {
    const { host, port } = this.#options
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    for (const socket of this.#upgraded) socket.destroy()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      authorize(request)
      const { path, query } = addressOf(request)
      if (path[0] === 'healthz') response.end('ok')
      else if (path[0] === 'containerLogs') await this.#log(path.slice(1), query, response)
      else throw new Refusal(404, '404 page not found')
    } catch (error) {
      if (response.headersSent) response.destroy()
      else refuse(response, error)
    }
  }

  async #log(path: readonly string[], query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { clock, podLogs } = this.#options
    const tail = query.get('tailLines')
    if (tail !== null && !/^\d{1,9}$/.test(tail)) throw new Refusal(400, `tailLines: ${tail} is not a whole number`)
    const { pod, container, newest } = await this.#target(path)
    if (newest === undefined)
      throw new Refusal(400, `container "${container}" in pod "${pod.metadata.name}" is waiting to start`)
    const file = `${logFolder(podLogs, pod)}/${container}/${newest.metadata?.attempt ?? 0}.log`
    const grows = async (): Promise<boolean> => {
      await sleep(clock, followEvery)
      const now = (await this.#target(path)).newest
      return !this.#isClosed && !response.destroyed && now?.id === newest.id && now.state === 'CONTAINER_RUNNING'
    }
    const options = { ...(tail !== null && { tailLines: Number(tail) }), ...(isSet(query, 'follow') && { grows }) }
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    response.flushHeaders()
    for await (const chunk of readLog(file, options)) {
      if (response.destroyed) return
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')])
    }
    response.end()
  }

  /**
   * Connects a client to the runtime, which serves the streams of a command. All bytes pass unchanged in both
   * directions.
   */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#upgraded.add(socket)
    socket.once('close', () => this.#upgraded.delete(socket))
    socket.on('error', () => socket.destroy())
    try {
      authorize(request)
      const { path, query } = addressOf(request)
      if (path[0] !== 'exec') throw new Refusal(404, '404 page not found')
      const { container, newest } = await this.#target(path.slice(1))
      if (newest?.state !== 'CONTAINER_RUNNING') throw new Refusal(404, `container not found ("${container}")`)
      const url = await this.#options.cri.exec(newest.id, commandOf(query))
      const call = httpRequest(url, {
        method: request.method ?? 'GET',
        headers: keptHeaders(request.headers),
        agent: false,
      })
      call.once('upgrade', ({ headers }, backend, started) =>
        join(socket, head, { type: 'upgrade', code: 101, headers: keptHeaders(headers), backend, head: started }),
      )
      call.once('response', ({ statusCode = 500 }) =>
        refuseUpgrade(request, socket, new Refusal(statusCode, 'the runtime does not speak this protocol')),
      )
      call.once('error', (error) => refuseUpgrade(request, socket, error))
      call.end()
    } catch (error) {
      refuseUpgrade(request, socket, error)
    }
  }

  async #target([namespace = '', name = '', container = '']: readonly string[]): Promise<{
    pod: Pod
    container: string
    newest: CriContainer | undefined
  }> {
    const { pods } = this.#options
    const pod = pods.pod(namespace, name)
    if (pod === undefined) throw new Refusal(404, `pod "${namespace}/${name}" not found`)
    const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
    if (!all.some((one) => one.name === container))
      throw new Refusal(404, `container "${container}" not found in pod "${name}"`)
    return { pod, container, newest: await pods.runtime.container(pod, container) }
  }
}

function authorize({ socket }: IncomingMessage): void {
  const certificate = (socket as TLSSocket).getPeerX509Certificate?.()
  const organizations = certificate === undefined ? [] : certificateUser(certificate).organizations
  if (!organizations.includes(master))
    throw new Refusal(403, 'Forbidden: only the API server may send requests to a kubelet')
}

function addressOf({ url = '/' }: IncomingMessage): { path: string[]; query: URLSearchParams } {
  const { pathname, searchParams } = new URL(url, 'https://kubelet')
  return { path: pathname.split('/').slice(1).map(decodeURIComponent), query: searchParams }
}

const isSet = (query: URLSearchParams, name: string): boolean => ['1', 'true'].includes(query.get(name) ?? '')

function commandOf(query: URLSearchParams): ExecRequest {
  const cmd = query.getAll('command')
  if (cmd.length === 0) throw new Refusal(400, 'you must specify at least one command')
  const tty = isSet(query, 'tty')
  const stderr = isSet(query, 'stderr') && !tty
  return { cmd, stdin: isSet(query, 'stdin'), stdout: isSet(query, 'stdout'), stderr, tty }
}

function refuse(response: ServerResponse, error: unknown): void {
  const code = error instanceof Refusal ? error.code : 500
  const text = error instanceof Error ? error.message : String(error)
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
}

function refuseUpgrade(request: IncomingMessage, socket: Duplex, error: unknown): void {
  const response = new ServerResponse(request)
  response.assignSocket(socket as Socket)
  response.shouldKeepAlive = false
  response.once('finish', () => socket.end(() => socket.destroy()))
  refuse(response, error)
}
