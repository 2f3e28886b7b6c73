import { randomUUID } from 'node:crypto'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import type { Random } from '../../../src/base/random.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { ApiClient } from '../../../src/kube/client.ts'
import type { KubeObject, ResourceRef } from '../../../src/kube/objects.ts'
import type { DeleteOptions } from '../../../src/kube/requests.ts'
import { httpsTransport } from '../../../src/sandbox/api-server/admission/webhook-transport.ts'
import { ApiServer } from '../../../src/sandbox/api-server/server.ts'
import { type RunningControllers, startControllers } from '../../../src/sandbox/controllers/start-controllers.ts'
import { FakeNodes, type FakeNodesOptions } from '../../../src/sandbox/nodes/fake-nodes.ts'
import { inProcessClient } from '../in-process-connection.ts'
import { BehavingRuntime, type BehavingRuntimeOptions } from './behaving-runtime.ts'

export interface SmallClusterOptions {
  readonly nodes?: number | FakeNodesOptions['nodes']
  readonly seed?: number
  readonly behaviour?: BehavingRuntimeOptions['behaviour']
  readonly leases?: boolean
}

const administrator = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const start = Date.parse('2026-01-01T00:00:00Z')

/** An API server, controllers and nodes in this process, under a clock that a test moves. */
export class SmallCluster {
  readonly clock = new SimulatedClock(start)
  readonly random: Random
  readonly server: ApiServer
  readonly client: ApiClient
  readonly runtime: BehavingRuntime
  readonly problems: string[] = []
  nodes!: FakeNodes
  private starts = 0
  private controllers: RunningControllers | undefined
  private readonly options: SmallClusterOptions
  private readonly listeners: (() => void)[] = []

  private constructor(options: SmallClusterOptions) {
    this.options = options
    this.random = seededRandom(options.seed ?? 1)
    this.server = new ApiServer({
      clock: this.clock,
      random: this.random,
      uuid: randomUUID,
      caPem: '',
      transport: httpsTransport(),
      managedFields: false,
    })
    this.client = inProcessClient(this.server.client(administrator), this)
    const { behaviour } = options
    this.runtime = new BehavingRuntime({
      clock: this.clock,
      ...(behaviour ? { behaviour } : {}),
    })
    this.server.context.store.listen(() => {
      for (const listener of this.listeners) listener()
    })
  }

  static async start(options: SmallClusterOptions = {}): Promise<SmallCluster> {
    const cluster = new SmallCluster(options)
    await cluster.settle()
    cluster.startControllers()
    await cluster.startNodes()
    await cluster.settle()
    return cluster
  }

  startControllers(): void {
    this.controllers?.stop()
    const failed = (what: string, error: unknown): void => this.#fail(what, error)
    this.controllers = startControllers({ client: this.client, clock: this.clock, random: this.random, failed })
  }

  async startNodes(): Promise<void> {
    this.nodes?.stop()
    const { nodes = 3, leases = false } = this.options
    const descriptions =
      typeof nodes === 'number' ? Array.from({ length: nodes }, (_, index) => ({ name: `node-${index + 1}` })) : nodes
    const options: FakeNodesOptions = {
      client: this.client,
      clock: this.clock,
      random: this.random,
      runtime: this.runtime,
      nodes: descriptions,
      leases,
      failed: (what, error) => this.#fail(what, error),
    }
    const turn = ++this.starts
    const started = await FakeNodes.start(options)
    // Another start began meanwhile, and two kubelets of one node would undo each other's work for ever.
    if (turn === this.starts) this.nodes = started
    else started.stop()
  }

  #fail(what: string, error: unknown): void {
    this.problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }

  /** Registers a listener that is called after each change of any object. */
  onChange(listener: () => void): void {
    this.listeners.push(listener)
  }

  /** Does all work that can happen without a change of the time. */
  async settle(): Promise<void> {
    const { store } = this.server.context
    let { revision } = store
    for (let quiet = 0; quiet < 20; quiet++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (store.revision !== revision) quiet = 0
      revision = store.revision
    }
  }

  /** @param duration milliseconds */
  async runFor(duration: number): Promise<void> {
    await this.settle()
    const limit = this.clock.now() + duration
    while (this.clock.step(limit)) await this.settle()
  }

  /** @returns whether the condition became true within this many milliseconds */
  async runUntil(condition: () => boolean, within = 600_000): Promise<boolean> {
    await this.settle()
    const limit = this.clock.now() + within
    while (!condition()) {
      if (!this.clock.step(limit)) return condition()
      await this.settle()
    }
    return true
  }

  create<T extends KubeObject>(resource: ResourceRef<T>, object: KubeObject & { spec: object }): Promise<T> {
    const whole: object = { ...object, metadata: { namespace: 'default', ...object.metadata } }
    return this.client.create(resource, whole as T)
  }

  /** Changes an object with a merge patch. */
  patch<T extends KubeObject>(resource: ResourceRef<T>, name: string, patch: object): Promise<T> {
    return this.client.patch(resource, this.#target(resource, name), { type: 'merge', patch })
  }

  async delete(resource: ResourceRef, name: string, options: DeleteOptions = {}): Promise<void> {
    await this.client.delete(resource, this.#target(resource, name), options)
  }

  #target({ namespaced }: ResourceRef, name: string) {
    return { name, ...(namespaced && { namespace: 'default' }) }
  }

  /** The stored objects, read directly from the store. */
  all<T extends KubeObject>({ group, plural }: ResourceRef<T>): T[] {
    return [...this.server.context.store.walk(`${group}/${plural}`)] as unknown as T[]
  }

  one<T extends KubeObject>(resource: ResourceRef<T>, name: string): T | undefined {
    return this.all(resource).find(({ metadata }) => metadata?.name === name)
  }

  stop(): void {
    this.controllers?.stop()
    this.nodes?.stop()
    this.server.close()
  }
}

/** A pod template with one container. */
export const template = (labels: Record<string, string>, image = 'web:1', more: object = {}) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'web', image }], ...more },
})
