import { mkdir } from 'node:fs/promises'
import type { Containerd } from '../../agent/containers/containerd.ts'
import type { GrpcClient } from '../../agent/containers/grpc-client.ts'
import { Backoff } from '../../base/backoff.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Change } from '../../kube/change.ts'
import type { ApiClient } from '../../kube/client.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { clientSource, Reflector } from '../../kube/reflector.ts'
import { defineResource } from '../../kube/resources.ts'
import { ClusterClient } from '../controllers/cluster-client.ts'
import { EventRecorder } from '../controllers/event-recorder.ts'
import type { NodeDescription } from '../controllers/node/node-object.ts'
import { PodWorker, type PodWorkerPorts } from '../controllers/node/pod-worker.ts'
import type { Pod } from '../controllers/types.ts'
import { Cri } from './cri.ts'
import { CriRuntime } from './cri-runtime.ts'
import { networkRequests } from './network-requests.ts'
import { nodeFacts } from './node-facts.ts'
import { NodeRegistration } from './node-registration.ts'
import { uidOf } from './pod-fields.ts'
import { PodObjects } from './pod-objects.ts'
import { PodVolumes } from './pod-volumes.ts'

export interface KubeletOptions {
  readonly name: string
  /** The node's own address, which its pods have too. */
  readonly address: string
  /** Where the API server reaches this kubelet, if that is somewhere else. */
  readonly externalAddress?: string
  readonly labels?: Readonly<Record<string, string>>
  /** `/var/lib/kubelet` of a real one: volumes, and below `seccomp` the profiles. */
  readonly root: string
  /** `/var/log/pods` of a real one. */
  readonly podLogs: string
  /** Whether pods get a network of their own by CNI, instead of the node's. */
  readonly ownNetwork: boolean
  /** Variables that every container gets. */
  readonly environment: Readonly<Record<string, string>>
  readonly version: string
  readonly client: ApiClient
  readonly containerd: GrpcClient
  readonly events: Containerd
  readonly clock: Clock
  readonly random: Random
  failed(what: string, error: unknown): void
}

const pods = defineResource({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })

/** Milliseconds: how long what ConfigMaps and Secrets say may be out of date in volumes, and leftovers may stay. */
const housekeeping = 30_000

/** A small kubelet: registers a node, and runs the pods that are bound to it in containerd. */
export class Kubelet {
  readonly runtime: CriRuntime
  readonly #options: KubeletOptions
  readonly #reflector: Reflector<KubeObject>
  readonly #workers = new Map<string, PodWorker>()
  readonly #ports: PodWorkerPorts
  readonly #objects: PodObjects
  readonly #cri: Cri
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  #registration: NodeRegistration | undefined

  constructor(options: KubeletOptions) {
    const { client, clock, random, failed, root, podLogs, ownNetwork, environment, name } = options
    this.#options = options
    this.#cri = new Cri(options.containerd)
    this.#objects = new PodObjects(client, clock)
    const volumes = new PodVolumes({ root, objectsOf: (pod) => this.#objects.forVolumes(pod) })
    this.runtime = new CriRuntime({
      ...{ cri: this.#cri, clock, volumes, objects: this.#objects, environment, failed },
      ...{ podLogs, ownNetwork, seccompRoot: `${root}/seccomp` },
    })
    const cluster = new ClusterClient(networkRequests(client.caller))
    const events = new EventRecorder({ client: cluster, clock, random, failed, host: name })
    this.#ports = { client: cluster, clock, random, runtime: this.runtime, events, failed }
    this.#reflector = new Reflector({
      source: clientSource(client, pods, { fieldSelector: `spec.nodeName=${name}` }),
      observer: {
        failed: (error) => failed('watch the pods of this node', error),
        handlerFailed: (_handler, _change, error) => failed('take a pod', error),
      },
    })
  }

  /** How many pods are looked after. */
  get size(): number {
    return this.#workers.size
  }

  /**
   * Resolves when the node is registered and its pods are known.
   * @param port where the API server reaches this kubelet
   */
  async start(port: number): Promise<void> {
    const { root, podLogs } = this.#options
    for (const folder of [root, podLogs]) await mkdir(folder, { recursive: true })
    this.#registration = new NodeRegistration({ ...this.#ports, description: await this.#description(port) }, () =>
      this.#cri.version().then(
        () => true,
        () => false,
      ),
    )
    await this.#registration.start()
    if (this.#stop.signal.aborted) return
    this.#reflector.subscribe({ name: 'kubelet', mode: 'edge', handle: (change) => this.#take(change) })
    this.#reflector.start()
    if (!(await this.#reflector.synced)) return
    this.#running.push(this.runtime.follow(), this.#followEvents(), this.#keepHouse())
  }

  /** Leaves pods and node as they are. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('The kubelet was stopped'))
    this.#registration?.stop()
    await this.#reflector.stop()
    this.runtime.close()
    for (const worker of this.#workers.values()) worker.close()
    await Promise.all(this.#running)
  }

  /** A pod of this node; undefined for what is not here. */
  pod(namespace: string, name: string): Pod | undefined {
    const found = this.#reflector.store.get(`${namespace}/${name}`)
    return found && podOf(found)
  }

  async #description(kubeletPort: number): Promise<NodeDescription> {
    const { name, address, externalAddress, labels, root, version } = this.#options
    const { runtimeName, runtimeVersion } = await this.#runtimeThere()
    const facts = await nodeFacts(root, `${runtimeName}://${runtimeVersion.replace(/^v/, '')}`, version)
    return {
      ...{ name, address, kubeletPort, ...facts },
      ...(externalAddress !== undefined && { externalAddress }),
      ...(labels !== undefined && { labels }),
    }
  }

  /** containerd may come up after us. */
  async #runtimeThere(): Promise<{ runtimeName: string; runtimeVersion: string }> {
    const { clock, random, failed } = this.#options
    const backoff = new Backoff({ first: 200, longest: 5_000, random })
    for (;;) {
      try {
        return await this.#cri.version()
      } catch (error) {
        if (this.#stop.signal.aborted) throw error
        failed('reach containerd', error)
        await sleep(clock, backoff.next())
      }
    }
  }

  #take(change: Change<KubeObject>): void {
    if (this.#stop.signal.aborted) return
    const pod = podOf(change.object)
    if (change.type === 'deleted') {
      this.#workers.get(uidOf(pod))?.remove()
      return
    }
    // Of the same name: another pod, whose predecessor nobody saw go.
    if (change.type === 'updated' && uidOf(podOf(change.old)) !== uidOf(pod))
      this.#workers.get(uidOf(podOf(change.old)))?.remove()
    this.#workerOf(pod)?.update(pod)
  }

  #workerOf(pod: Pod): PodWorker | undefined {
    const uid = uidOf(pod)
    const known = this.#workers.get(uid)
    if (known !== undefined || isOver(pod)) return known
    const { name, address } = this.#options
    const worker = new PodWorker(this.#ports, { name, address, podCidr: '' }, pod, () => {
      this.#workers.delete(uid)
      this.#objects.forget(pod)
    })
    this.#workers.set(uid, worker)
    return worker
  }

  /** Events of the runtime make it fast; without them it is a second late. */
  async #followEvents(): Promise<void> {
    const { events, clock, random, failed } = this.#options
    const backoff = new Backoff({ first: 250, longest: 10_000, random })
    const { signal } = this.#stop
    while (!signal.aborted) {
      const error = await events
        .subscribe((event) => {
          backoff.reset()
          if (event.type === 'ended')
            void this.runtime.ended(event.containerID).catch((cause: unknown) => failed('look at what runs', cause))
        }, signal)
        .catch((cause: unknown) => cause)
      if (signal.aborted) return
      failed('follow the events of containerd', error)
      await sleep(clock, backoff.next())
    }
  }

  async #keepHouse(): Promise<void> {
    const { clock, failed } = this.#options
    let due = 0
    while (!this.#stop.signal.aborted) {
      if (clock.now() >= due) {
        due = clock.now() + housekeeping
        await this.#removeLeftovers().catch((error: unknown) => failed('remove what is left of other pods', error))
        await this.runtime.refreshVolumes()
      }
      await sleep(clock, 500)
    }
  }

  /** What the runtime has of pods that the API server has no more: they went while no kubelet was here. */
  async #removeLeftovers(): Promise<void> {
    const there = await this.runtime.podUids()
    const wanted = new Set(
      Array.from(this.#reflector.store.keys(), (key) => uidOf(podOf(this.#reflector.store.get(key)!))),
    )
    for (const uid of there) if (!wanted.has(uid) && !this.#workers.has(uid)) await this.runtime.removeSandboxes(uid)
  }
}

const podOf = (object: KubeObject): Pod => object as unknown as Pod

/** The node has done its part, and finalizers keep the object. */
const isOver = ({ metadata }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0
