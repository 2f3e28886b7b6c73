import { Copy } from '../controllers/cluster.ts'
import { type Pod, pods } from '../controllers/objects.ts'
import { type NodeDescription, NodeRegistration } from './node-registration.ts'
import type { NodePlace } from './pod-runtime.ts'
import { PodWorker, type PodWorkerPorts } from './pod-worker.ts'

export interface FakeNodesOptions extends PodWorkerPorts {
  readonly nodes: readonly Omit<NodeDescription, 'address'>[]
  /** Whether to renew each node's Lease every 10 s. Default true. */
  readonly leases?: boolean
}

interface OwnNode {
  readonly place: NodePlace
  readonly registration: NodeRegistration
}

/** Maximum concurrent registrations. */
const registrations = 32

/**
 * Simulates the kubelets of many nodes: registers the nodes, renews their Leases, and runs their pods. Another
 * FakeNodes can replace this object: it continues from the pods' status and the runtime.
 */
export class FakeNodes {
  readonly #own = new Map<string, OwnNode>()
  readonly #workers: PodWorkers
  readonly #pods: Copy<Pod>

  private constructor({ nodes, ...ports }: FakeNodesOptions) {
    const only = nodes.length === 1 ? nodes[0] : undefined
    this.#pods = new Copy(ports, pods, {}, { fieldSelector: `spec.nodeName${only ? `=${only.name}` : '!='}` })
    this.#workers = new PodWorkers(ports, (name) => this.#own.get(name)?.place)
    for (const [index, description] of nodes.entries()) {
      const { name } = description
      const address = `172.16.${((index + 1) >> 8) & 255}.${(index + 1) & 255}`
      const place = { name, address, podCidr: `10.${(index >> 8) & 255}.${index & 255}.0/24` }
      this.#own.set(name, {
        place,
        registration: new NodeRegistration(ports, name, async () => ({ ...description, address })),
      })
    }
  }

  /** Resolves when all nodes are registered and ready, and their pods are known. */
  static async start(options: FakeNodesOptions): Promise<FakeNodes> {
    const fake = new FakeNodes(options)
    const own = [...fake.#own.values()]
    for (let from = 0; from < own.length; from += registrations)
      await Promise.all(
        own.slice(from, from + registrations).map(({ registration }) => registration.start(options.leases)),
      )
    fake.#pods.onChange((after, before) => fake.#workers.take(after, before))
    fake.#pods.start()
    await fake.#pods.synced()
    return fake
  }

  /** Stops the kubelets. Nodes and containers stay as they are. */
  stop(): void {
    for (const { registration } of this.#own.values()) registration.stop()
    this.#workers.close()
    void this.#pods.stop()
  }
}

/** The workers of a kubelet. Each pod has a worker. */
export class PodWorkers {
  readonly #ports: PodWorkerPorts
  readonly #placeOf: (node: string) => NodePlace | undefined
  readonly #workers = new Map<string, PodWorker>()
  #isClosed = false

  constructor(ports: PodWorkerPorts, placeOf: (node: string) => NodePlace | undefined) {
    this.#ports = ports
    this.#placeOf = placeOf
  }

  has(uid: string): boolean {
    return this.#workers.has(uid)
  }

  take(after: Pod | undefined, before: Pod | undefined): void {
    if (this.#isClosed) return
    // Another pod with the same name may arrive before the watch shows the end of the first pod.
    if (before && before.metadata.uid !== after?.metadata.uid) this.#workers.get(before.metadata.uid)?.remove()
    if (after) this.#workerOf(after)?.update(after)
  }

  close(): void {
    this.#isClosed = true
    for (const worker of this.#workers.values()) worker.close()
    this.#workers.clear()
  }

  #workerOf(pod: Pod): PodWorker | undefined {
    const { uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
    const known = this.#workers.get(uid)
    // With a grace period of 0, the node has nothing more to do for the pod; finalizers keep the object.
    const isOver = deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0
    const place = this.#placeOf(pod.spec.nodeName ?? '')
    if (known || isOver || !place) return known
    const worker = new PodWorker(this.#ports, place, pod, () => this.#workers.delete(uid))
    this.#workers.set(uid, worker)
    return worker
  }
}
