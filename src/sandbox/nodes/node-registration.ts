import type { V1Taint } from '@kubernetes/client-node'
import { Backoff } from '../../base/backoff.ts'
import { sleep, type Timer } from '../../base/clock.ts'
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts'
import { microTime } from '../../kube/resources.ts'
import type { Ports } from '../controllers/cluster.ts'
import {
  leaseNamespace,
  leases,
  type Node,
  type NodeLease,
  type NodeStatus,
  nodes,
  timestamp,
} from '../controllers/objects.ts'
import { conditionOf } from '../controllers/pods.ts'

/** A node as it is to appear. */
export interface NodeDescription {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly taints?: readonly V1Taint[]
  /** Of the node. */
  readonly address: string
  /** Where the API server reaches its kubelet, if that is another address than the node's own. */
  readonly externalAddress?: string
  /** Of its kubelet; 10250 when left out. */
  readonly kubeletPort?: number
  /** What it says of its machine and runtime, over what is made up. */
  readonly info?: Readonly<Record<string, string>>
}

/** Milliseconds: a quarter of what a Lease lasts. */
const renewal = 10_000

/** Makes a node known, keeps showing that it is alive, and reports whether it can run pods. */
export class NodeRegistration {
  readonly #ports: Ports
  readonly #name: string
  readonly #describe: () => Promise<NodeDescription>
  /** As it was registered: later the runtime may be away. */
  #description: NodeDescription | undefined
  readonly #isReady: () => Promise<boolean>
  #timer: Timer | undefined
  #stopped = false

  constructor(
    ports: Ports,
    name: string,
    describe: () => Promise<NodeDescription>,
    isReady: () => Promise<boolean> = async () => true,
  ) {
    this.#ports = ports
    this.#name = name
    this.#describe = describe
    this.#isReady = isReady
  }

  /**
   * Resolves once the node is registered, however long the API server, or the runtime, does not answer.
   * @param isRenewed whether a Lease is kept; a node without one never counts as lost
   */
  async start(isRenewed = true): Promise<void> {
    const { clock, random } = this.#ports
    const backoff = new Backoff({ first: 400, longest: 7_000, random })
    while (!this.#stopped && !(await this.#done('register', () => this.#register()))) await sleep(clock, backoff.next())
    if (isRenewed) await this.#renew()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #done(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (!this.#stopped) this.#ports.failed(`${what} node ${this.#name}`, error)
      return false
    }
  }

  async #register(): Promise<void> {
    this.#description = await this.#describe()
    const { name, labels, taints, info } = this.#description
    const architecture = info?.['architecture'] ?? 'amd64'
    const own = {
      'kubernetes.io/arch': architecture,
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
      ...labels,
    }
    const { client } = this.#ports
    try {
      const made: object = { metadata: { name, labels: own }, spec: { ...(taints && { taints }) } }
      await client.create(nodes, made as Node)
    } catch (error) {
      // It was there before this kubelet, perhaps made by hand, without the labels that every node has.
      if (!isAlreadyExists(error)) throw error
      await client.patch(nodes, { name }, { type: 'merge', patch: { metadata: { labels: own } } })
    }
    await this.#report(undefined)
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return
    await this.#done('renew the lease of', () => this.#writeLease())
    await this.#done('report', () => this.#look())
    if (this.#stopped) return
    // Not all at once: each a little sooner than it must.
    const delay = renewal * (1 - this.#ports.random() * 0.04)
    this.#timer = this.#ports.clock.after(delay, () => void this.#renew())
  }

  async #writeLease(): Promise<void> {
    const { client, clock } = this.#ports
    const name = this.#name
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime(clock.wall()) }
    const lease = { metadata: { name, namespace: leaseNamespace }, spec } as NodeLease
    await client.apply(leases, lease, { fieldManager: 'kubelet', force: true, class: 'lease' })
  }

  /** Someone may have taken the node for lost, or removed it. */
  async #look(): Promise<void> {
    try {
      await this.#report(await this.#ports.client.get(nodes, { name: this.#name }))
    } catch (error) {
      if (!isNotFound(error)) throw error
      await this.#register()
    }
  }

  /** Writes its status, unless that says so already. */
  async #report(known: Node | undefined): Promise<void> {
    const isReady = await this.#isReady()
    if (conditionOf(known?.status?.conditions, 'Ready')?.status === (isReady ? 'True' : 'False')) return
    const { client, clock } = this.#ports
    const patch = { status: nodeStatus(this.#description!, isReady, clock.now()) }
    await client.patch(nodes, { name: this.#name }, { type: 'strategic', patch }, { subresource: 'status' })
  }
}

/** What a kubelet reports of its node. */
function nodeStatus(description: NodeDescription, isReady: boolean, now: number): NodeStatus & object {
  const { name, address, externalAddress, kubeletPort = 10_250 } = description
  const capacity = { cpu: '8', memory: '32Gi', pods: '110' }
  const time = timestamp(now)
  const condition = {
    ...{ type: 'Ready', status: isReady ? 'True' : 'False', reason: isReady ? 'KubeletReady' : 'RuntimeDown' },
    ...{ message: '', lastHeartbeatTime: time, lastTransitionTime: time },
  }
  return {
    ...{ capacity, allocatable: capacity },
    conditions: [condition],
    addresses: [
      { type: 'InternalIP', address },
      ...(externalAddress === undefined ? [] : [{ type: 'ExternalIP', address: externalAddress }]),
      { type: 'Hostname', address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
    nodeInfo: {
      ...{ architecture: 'amd64', operatingSystem: 'linux', osImage: 'Sandbox', kernelVersion: '6.12.0' },
      ...{ bootID: '', machineID: '', systemUUID: '', kubeProxyVersion: '', kubeletVersion: 'v1.37.2' },
      containerRuntimeVersion: `${recordingScheme}//1.0.0`,
      ...description.info,
    },
  } as NodeStatus & object
}

/** What the runtime of made-up nodes is called. */
export const recordingScheme = 'recording:'
