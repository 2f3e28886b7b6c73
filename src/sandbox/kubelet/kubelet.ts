import { mkdir } from 'node:fs/promises'
import { sleep } from '../../base/clock.ts'
import { EventRecorder } from '../../kube/event-recorder.ts'
import { Copy, type Ports } from '../controllers/cluster.ts'
import { type Pod, pods } from '../controllers/objects.ts'
import { PodWorkers } from '../nodes/fake-nodes.ts'
import { type NodeDescription, NodeRegistration } from '../nodes/node-registration.ts'
import type { CriPort } from './cri.ts'
import { CriRuntime } from './cri-runtime.ts'
import { nodeFacts } from './node-facts.ts'
import { PodObjects } from './pod-objects.ts'
import { PodVolumes } from './pod-volumes.ts'

export interface KubeletOptions extends Ports {
  /** Description of the node. Its pods have the node's `address`, too. */
  readonly node: Pick<NodeDescription, 'name' | 'address' | 'externalAddress' | 'labels'>
  /** Folder for volumes; its subfolder `seccomp` has the profiles. A real kubelet uses `/var/lib/kubelet`. */
  readonly root: string
  /** Folder for logs of pods. A real kubelet uses `/var/log/pods`. */
  readonly podLogs: string
  /** Whether CNI gives each pod its own network. Otherwise pods use the node's network. */
  readonly ownNetwork: boolean
  /** Environment variables of every container. */
  readonly environment: Readonly<Record<string, string>>
  readonly version: string
  readonly cri: CriPort
}

/** Milliseconds between two updates of volumes of ConfigMaps and Secrets, and between two removals of leftover pods. */
const housekeeping = 30_000

/** A small kubelet: registers a node, and runs its pods in containerd. */
export class Kubelet {
  readonly runtime: CriRuntime
  readonly #options: KubeletOptions
  readonly #pods: Copy<Pod>
  readonly #workers: PodWorkers
  readonly #events: EventRecorder
  #registration: NodeRegistration | undefined
  #running: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(options: KubeletOptions) {
    const { client, clock, random, failed, root, podLogs, ownNetwork, environment, node, cri } = options
    this.#options = options
    const objects = new PodObjects(client, clock)
    this.runtime = new CriRuntime({
      ...{ cri, clock, volumes: new PodVolumes(root, objects), objects, environment, failed },
      ...{ podLogs, ownNetwork, seccompRoot: `${root}/seccomp` },
    })
    this.#events = new EventRecorder({ client, reportingController: 'kubelet', reportingInstance: node.name, clock })
    const warn = (pod: Pod, reason: string, note: string): void => {
      const regarding = { apiVersion: 'v1', kind: 'Pod', ...pick(pod) }
      this.#events.record({ regarding, type: 'Warning', reason, action: 'Starting', note })
    }
    const place = { name: node.name, address: node.address, podCidr: '' }
    const ports = { client, clock, random, failed, runtime: this.runtime, warn }
    this.#workers = new PodWorkers(ports, () => place)
    this.#pods = new Copy(ports, pods, {}, { fieldSelector: `spec.nodeName=${node.name}` })
  }

  /**
   * Resolves when the node is registered and its pods are known.
   * @param port the port for the API server's requests to this kubelet
   */
  async start(port: number): Promise<void> {
    const { root, podLogs, cri, node } = this.#options
    for (const folder of [root, podLogs]) await mkdir(folder, { recursive: true })
    const isReady = (): Promise<boolean> =>
      cri.version().then(
        () => true,
        () => false,
      )
    this.#registration = new NodeRegistration(this.#options, node.name, () => this.#description(port), isReady)
    await this.#registration.start()
    if (this.#stopped) return
    this.#pods.onChange((after, before) => this.#workers.take(after, before))
    this.#pods.start()
    await this.#pods.synced()
    this.#running = Promise.all([this.runtime.follow(), this.#keepHouse()])
  }

  /** Stops the kubelet. The node and its pods stay as they are. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#registration?.stop()
    await this.#pods.stop()
    this.runtime.close()
    this.#workers.close()
    await this.#running
    await this.#events.stop()
  }

  /** A pod of this node; undefined if the node does not have it. */
  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.store.get(`${namespace}/${name}`)
  }

  async #description(kubeletPort: number): Promise<NodeDescription> {
    const { cri, node, version } = this.#options
    const { runtimeName, runtimeVersion } = await cri.version()
    return { ...node, kubeletPort, info: await nodeFacts(`${runtimeName}://${runtimeVersion}`, version) }
  }

  async #keepHouse(): Promise<void> {
    const { clock, failed } = this.#options
    let due = 0
    while (!this.#stopped) {
      if (clock.now() >= due) {
        due = clock.now() + housekeeping
        await this.#removeLeftovers().catch((error: unknown) => failed('remove leftover pods', error))
        await this.runtime.refreshVolumes()
      }
      await sleep(clock, 500)
    }
  }

  /** Removes pods from the runtime that were deleted in the API server while the kubelet did not run. */
  async #removeLeftovers(): Promise<void> {
    const there = await this.runtime.podUids()
    const wanted = new Set(Array.from(this.#pods.store.values(), ({ metadata }) => metadata.uid))
    for (const uid of there) if (!wanted.has(uid) && !this.#workers.has(uid)) await this.runtime.removeSandboxes(uid)
  }
}

const pick = ({ metadata: { name, namespace, uid } }: Pod) => ({ name, namespace, uid })
