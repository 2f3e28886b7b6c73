import type { ApiClient } from '../../src/kube/client.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { nodes } from '../../src/sandbox/controllers/objects.ts'
import { type RunningControllers, startControllers } from '../../src/sandbox/controllers/start-controllers.ts'
import { FakeNodes } from '../../src/sandbox/nodes/fake-nodes.ts'
import { RecordingRuntime } from '../../src/sandbox/nodes/recording-runtime.ts'
import { sandboxClock } from '../../src/sandbox/sandbox-clock.ts'
import { faultsOf } from '../sandbox/faults.ts'
import { inProcessClient } from '../sandbox/in-process-connection.ts'
import type { ControlPlaneTarget } from './target.ts'

const administrator = { name: 'sandbox', uid: 'sandbox', groups: ['system:masters'], extra: {} }
const time = { clock: sandboxClock, random: Math.random, failed: () => undefined }

/** The embedded API server, with controllers and kubelets in this process. */
export class EmbeddedTarget implements ControlPlaneTarget {
  readonly name = 'embedded'
  readonly runtime = new RecordingRuntime(time)
  #api: RunningApiServer
  #controllers: RunningControllers | undefined
  readonly #kubelets = new Map<string, FakeNodes>()

  private constructor(api: RunningApiServer) {
    this.#api = api
  }

  static async start(): Promise<EmbeddedTarget> {
    const target = new EmbeddedTarget(await startApiServer())
    await target.#startControllers()
    return target
  }

  get kubeconfig(): string {
    return this.#api.kubeconfig
  }

  get api(): RunningApiServer {
    return this.#api
  }

  get faults() {
    return faultsOf(this.#api.server)
  }

  async addNode(name: string): Promise<void> {
    const client = this.#client()
    this.#kubelets.set(name, await FakeNodes.start({ ...time, client, runtime: this.runtime, nodes: [{ name }] }))
  }

  async removeNode(name: string): Promise<void> {
    this.#kubelets.get(name)?.stop()
    this.#kubelets.delete(name)
    await this.#client().delete(nodes, { name })
  }

  /** Replaces the server with another one on the same store, like an API server restart with etcd. */
  async interrupt(): Promise<void> {
    const names = [...this.#kubelets.keys()]
    const port = Number(new URL(this.#api.url).port)
    this.#controllers?.stop()
    for (const kubelet of this.#kubelets.values()) kubelet.stop()
    const restore = this.#api.snapshot()
    await this.#api.close()
    this.#api = await startApiServer({ port, restore })
    await this.#startControllers()
    for (const name of names) await this.addNode(name)
  }

  async stop(): Promise<void> {
    for (const kubelet of this.#kubelets.values()) kubelet.stop()
    this.#controllers?.stop()
    await this.#api.close()
  }

  #client(): ApiClient {
    return inProcessClient(this.#api.client(administrator), time)
  }

  async #startControllers(): Promise<void> {
    this.#controllers = startControllers({ ...time, client: this.#client() })
    await this.#controllers.synced()
  }
}
