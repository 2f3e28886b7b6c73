import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { Demultiplexer, framesOf, pluginConnection, runtimeConnection } from '../../../src/agent/nri/multiplexer.ts'
import { decodeMessage, encodeMessage, nriPackage } from '../../../src/agent/nri/nri-messages.ts'
import { TtrpcClient, TtrpcServer } from '../../../src/agent/nri/ttrpc-ends.ts'

export const pod = {
  id: 'sandbox-1',
  name: 'web',
  uid: 'uid-1',
  namespace: 'demo',
  labels: { app: 'web' },
  annotations: { 'container.bpf.security.beta.varmor.org/c': 'localhost/varmor-demo-web' },
}

export const container = (id: string, more: object = {}) => ({
  ...{
    id,
    podSandboxId: pod.id,
    name: 'c',
    state: 'CONTAINER_CREATED',
    labels: { from: 'kubelet' },
    annotations: { made: 'so' },
  },
  ...more,
})

/** One plugin, as a runtime sees it. */
export class PluginSeen {
  registered: { pluginName: string; pluginIdx: string } | undefined
  events = 0
  /** The plugin's answers to Synchronize. */
  more: boolean[] = []
  closed = false
  readonly socket: Socket
  readonly #client: TtrpcClient

  constructor(socket: Socket, runtime: FakeNriRuntime) {
    this.socket = socket
    const send = (connection: number) => (message: Buffer) => void socket.write(framesOf(connection, message))
    this.#client = new TtrpcClient(send(pluginConnection))
    const register = async (payload: Buffer): Promise<Buffer> => {
      if (runtime.silent) await new Promise(() => undefined)
      this.registered = decodeMessage(`${nriPackage}.RegisterPluginRequest`, payload)
      setImmediate(() => void runtime.welcome(this).catch(() => undefined))
      return Buffer.alloc(0)
    }
    const server = new TtrpcServer({
      methods: new Map([[`${nriPackage}.Runtime/RegisterPlugin`, register]]),
      send: send(runtimeConnection),
      fail: () => socket.destroy(),
    })
    const demultiplexer = new Demultiplexer()
    socket.on('data', (chunk) =>
      demultiplexer.push(chunk, (connection, bytes) => {
        if (connection === runtimeConnection) server.push(bytes)
        else this.#client.push(bytes)
      }),
    )
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
    })
  }

  async call<Response>(method: string, request: object, type = method, timeout = 0): Promise<Response> {
    const payload = encodeMessage(`${nriPackage}.${type}Request`, request)
    const answer = await this.#client.call(`${nriPackage}.Plugin`, method, payload, timeout)
    return decodeMessage(`${nriPackage}.${type}Response`, answer)
  }

  startContainer(id: string, more: object = {}, timeout = 0): Promise<unknown> {
    return this.call('StartContainer', { pod, container: container(id, more) }, 'StartContainer', timeout)
  }

  async stateChange(event: string, id: string): Promise<void> {
    const payload = encodeMessage(`${nriPackage}.StateChangeEvent`, { event, pod, container: container(id) })
    await this.#client.call(`${nriPackage}.Plugin`, 'StateChange', payload, 0)
  }
}

/** The runtime's end of NRI, on a real socket. It waits for answers without a timeout. */
export class FakeNriRuntime {
  readonly plugins: PluginSeen[] = []
  /** Lists of containers for a plugin, one request each. */
  lists: object[][] = [[]]
  /** Accepts connections, but sends nothing. */
  silent = false
  requestTimeout = 2_000
  readonly #path: string
  #server: Server | undefined

  constructor(path: string) {
    this.#path = path
  }

  async listen(): Promise<void> {
    this.#server = createServer((socket) => this.plugins.push(new PluginSeen(socket, this)))
    this.#server.listen(this.#path)
    await once(this.#server, 'listening')
  }

  /** Closes the server and removes its socket, as when containerd ends. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = once(server, 'close')
    server.close()
    for (const { socket } of this.plugins) socket.destroy()
    await closed
    rmSync(this.#path, { force: true })
  }

  get last(): PluginSeen {
    return this.plugins.at(-1)!
  }

  /** Sends the requests that follow a registration. */
  async welcome(plugin: PluginSeen): Promise<void> {
    const about = { runtimeName: 'containerd', runtimeVersion: 'v2.4.2', requestTimeout: String(this.requestTimeout) }
    plugin.events = (await plugin.call<{ events: number }>('Configure', about)).events
    for (const [index, containers] of this.lists.entries()) {
      const more = index < this.lists.length - 1
      // The pods come last, after containers that belong to them.
      const pods = more ? [] : [pod]
      plugin.more.push((await plugin.call<{ more: boolean }>('Synchronize', { pods, containers, more })).more)
    }
  }
}
