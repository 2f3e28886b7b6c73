import { sleep, type Timer } from '../../base/clock.ts'
import { backoff } from '../controllers/backoff.ts'
import { isAlreadyExists } from '../controllers/cluster-client.ts'
import { NodeLease, type NodeLeasePorts } from '../controllers/node/node-lease.ts'
import { type NodeDescription, newNode, nodeStatus } from '../controllers/node/node-object.ts'
import { conditionOf } from '../controllers/pod-state.ts'
import { nodes } from '../controllers/resources.ts'
import type { Node } from '../controllers/types.ts'

export interface NodeRegistrationOptions extends NodeLeasePorts {
  readonly description: NodeDescription
}

/** Milliseconds. */
const retries = { shortest: 200, longest: 7_000 }
const lookEvery = 10_000

/** Makes a node known, keeps saying that it is alive, and whether it can run pods. */
export class NodeRegistration {
  readonly #options: NodeRegistrationOptions
  readonly #isReady: () => Promise<boolean>
  readonly #lease: NodeLease
  #timer: Timer | undefined
  #stopped = false

  constructor(options: NodeRegistrationOptions, isReady: () => Promise<boolean>) {
    this.#options = options
    this.#isReady = isReady
    this.#lease = new NodeLease(options.description.name, options)
  }

  /** Resolves once the node is registered, however long the API server does not answer. */
  async start(): Promise<void> {
    const { clock, random, failed } = this.#options
    for (let failures = 0; !this.#stopped; failures++) {
      try {
        await this.#register()
        break
      } catch (error) {
        failed(`register node ${this.#options.description.name}`, error)
        await sleep(clock, backoff(failures, retries, random))
      }
    }
    await this.#lease.start()
    this.#plan()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#lease.stop()
  }

  async #register(): Promise<void> {
    const { client, description } = this.#options
    const fresh = newNode(description)
    try {
      await client.create(nodes, fresh)
    } catch (error) {
      // It was there before this kubelet, perhaps made by hand, without the labels that every node has.
      if (!isAlreadyExists(error)) throw error
      const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: description.name }, spec: {} }
      await client.patch(
        nodes,
        node,
        { metadata: { labels: fresh.metadata.labels ?? {} } },
        { type: 'strategic-merge' },
      )
    }
    await this.#report(undefined)
  }

  #plan(): void {
    if (this.#stopped) return
    this.#timer = this.#options.clock.after(lookEvery, () => {
      void this.#look()
        .catch((error: unknown) => this.#options.failed(`report node ${this.#options.description.name}`, error))
        .finally(() => this.#plan())
    })
  }

  /** Someone may have taken the node for lost, or removed it. */
  async #look(): Promise<void> {
    const { client, description } = this.#options
    const node = await client.get(nodes, '', description.name)
    if (node === undefined) return this.#register()
    await this.#report(node)
  }

  /** Writes its status, unless that says so already. */
  async #report(known: Node | undefined): Promise<void> {
    const { client, clock, description } = this.#options
    const { address = '', name } = description
    const isReady = await this.#isReady()
    const said = conditionOf(known?.status?.conditions, 'Ready')?.status
    if (said === (isReady ? 'True' : 'False')) return
    const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} }
    const status = nodeStatus(description, address, isReady, clock.now())
    await client.patch(nodes, node, { status }, { type: 'strategic-merge', subresource: 'status' })
  }
}
