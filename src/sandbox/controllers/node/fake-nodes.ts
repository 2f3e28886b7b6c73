import { type Clock, sleep } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import { backoff } from '../backoff.ts'
import { ClusterClient, isAlreadyExists, type Requests } from '../cluster-client.ts'
import { EventRecorder } from '../event-recorder.ts'
import { Informer } from '../informer.ts'
import type { Change } from '../informer-store.ts'
import { nodes, pods } from '../resources.ts'
import type { Node, Pod } from '../types.ts'
import { NodeLease, type NodeLeasePorts } from './node-lease.ts'
import { addressOf, type NodeDescription, newNode, nodeStatus, podCidrOf } from './node-object.ts'
import type { NodePlace, PodRuntime } from './pod-runtime.ts'
import { PodWorker, type PodWorkerPorts } from './pod-worker.ts'

export interface FakeNodesOptions {
  readonly client: Requests
  readonly clock: Clock
  readonly random: Random
  readonly runtime: PodRuntime
  readonly nodes: readonly NodeDescription[]
  /** Renew a Lease for each node every 10 s. On unless said otherwise. */
  readonly leases?: boolean
  /** Write Events of pods. On unless said otherwise. */
  readonly events?: boolean
  /** Is told of what failed; it is tried again. Written to stderr unless given. */
  readonly failed?: (what: string, error: unknown) => void
}

interface OwnNode {
  readonly description: NodeDescription
  readonly place: NodePlace
  readonly lease: NodeLease
}

/** Milliseconds. */
const registrationRetries = { shortest: 200, longest: 7000 }
/** How many nodes are registered at a time. */
const registrations = 32

/**
 * The kubelets of many nodes in one object: registers them, renews their Leases, and runs the pods that are bound to
 * them. It can be stopped and another started in its place: pods go on as their status and the runtime have them.
 */
export class FakeNodes {
  private readonly options: FakeNodesOptions
  private readonly client: ClusterClient
  private readonly own = new Map<string, OwnNode>()
  /** By uid of the pod. */
  private readonly workers = new Map<string, PodWorker>()
  private readonly informer: Informer<Pod>
  private readonly ports: PodWorkerPorts
  private stopped = false

  private constructor(options: FakeNodesOptions) {
    const { clock, random, runtime } = options
    const failed = options.failed ?? ((what, error) => console.warn(`node: ${what}:`, error))
    this.options = options
    this.client = new ClusterClient(options.client)
    const events =
      options.events === false ? undefined : new EventRecorder({ client: this.client, clock, random, failed })
    this.ports = { client: this.client, clock, random, runtime, events, failed }
    const only = options.nodes.length === 1 ? options.nodes[0] : undefined
    this.informer = new Informer({
      client: this.client,
      resource: pods,
      clock,
      random,
      failed,
      fieldSelector: only ? `spec.nodeName=${only.name}` : 'spec.nodeName!=',
    })
    this.informer.onChange((change) => this.observe(change))
    for (const [index, description] of options.nodes.entries())
      this.own.set(description.name, ownNode(description, index, this.ports))
  }

  /** Resolves once all nodes are registered and ready, and their pods are known. */
  static async start(options: FakeNodesOptions): Promise<FakeNodes> {
    const fake = new FakeNodes(options)
    const names = [...fake.own.keys()]
    for (let from = 0; from < names.length; from += registrations)
      await Promise.all(names.slice(from, from + registrations).map((name) => fake.register(name)))
    fake.informer.start()
    await fake.informer.synced()
    return fake
  }

  /** How many pods are looked after. */
  get size(): number {
    return this.workers.size
  }

  /** Reports whether a node is able to run pods. */
  async setReady(name: string, ready: boolean): Promise<void> {
    const node = this.nodeOf(name)
    const status = nodeStatus(node.description, node.place.address, ready, this.options.clock.now())
    await this.client.patch(nodes, objectNamed(name), { status }, { type: 'strategic-merge', subresource: 'status' })
  }

  /** A node falls silent: its Lease is not renewed any more, and nothing happens on it. */
  silence(name: string): void {
    const node = this.nodeOf(name)
    node.lease.stop()
    this.own.delete(name)
    for (const pod of this.informer.store.values())
      if (pod.spec.nodeName === name) this.workers.get(pod.metadata.uid ?? '')?.close()
  }

  /** Leaves nodes and containers as they are. */
  stop(): void {
    this.stopped = true
    this.informer.stop()
    for (const { lease } of this.own.values()) lease.stop()
    for (const worker of this.workers.values()) worker.close()
    this.workers.clear()
  }

  private nodeOf(name: string): OwnNode {
    const node = this.own.get(name)
    if (!node) throw new RangeError(`There is no node ${name} here`)
    return node
  }

  /** A kubelet is of no use before its node is known: it tries until it is. */
  private async register(name: string): Promise<void> {
    const { clock, random } = this.options
    for (let failures = 0; !this.stopped; failures++) {
      try {
        await this.createNode(name)
        break
      } catch (error) {
        this.ports.failed(`register node ${name}`, error)
        await sleep(clock, backoff(failures, registrationRetries, random))
      }
    }
    if (this.options.leases !== false && !this.stopped) await this.nodeOf(name).lease.start()
  }

  private async createNode(name: string): Promise<void> {
    const { description, place } = this.nodeOf(name)
    try {
      await this.client.create(nodes, newNode(description, place.podCidr))
    } catch (error) {
      // It was there before this kubelet.
      if (!isAlreadyExists(error)) throw error
    }
    await this.setReady(name, true)
  }

  private observe({ before, after }: Change<Pod>): void {
    if (before && before.metadata.uid !== after?.metadata.uid) this.workers.get(before.metadata.uid ?? '')?.remove()
    if (!after || this.stopped) return
    const uid = after.metadata.uid ?? ''
    const worker = this.workers.get(uid) ?? this.adopt(after)
    worker?.update(after)
  }

  private adopt(pod: Pod): PodWorker | undefined {
    const node = this.own.get(pod.spec.nodeName ?? '')
    if (!node || isOver(pod)) return undefined
    const uid = pod.metadata.uid ?? ''
    const worker = new PodWorker(this.ports, node.place, pod, () => this.workers.delete(uid))
    this.workers.set(uid, worker)
    return worker
  }
}

/** The node has done its part, and finalizers keep the object. */
const isOver = ({ metadata }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0

function ownNode(description: NodeDescription, index: number, ports: NodeLeasePorts): OwnNode {
  const address = description.address ?? addressOf(index + 1)
  const podCidr = description.podCidr ?? podCidrOf(index)
  return {
    description,
    place: { name: description.name, address, podCidr },
    lease: new NodeLease(description.name, ports),
  }
}

const objectNamed = (name: string): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} })
