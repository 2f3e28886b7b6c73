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

/** A node's description. */
export interface NodeDescription {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly taints?: readonly V1Taint[]
  /** Address of the node. */
  readonly address: string
  /** Address at which the API server reaches the kubelet, if it differs from the node's own address. */
  readonly externalAddress?: string
  /** Port of its kubelet; default 10250. */
  readonly kubeletPort?: number
  /** Facts about the node's machine and runtime, which replace the invented facts. */
  readonly info?: Readonly<Record<string, string>>
}

/** Milliseconds between two renewals of a Lease: a quarter of its duration. */
const renewal = 10_000

/** Registers a node, keeps it alive, and reports whether the node can run pods. */
export class NodeRegistration {
  readonly #ports: Ports
  readonly #name: string
  readonly #describe: () => Promise<NodeDescription>
  /** The description from the registration, because the runtime may not answer later. */
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
   * Resolves when the node is registered, even if the API server or the runtime takes long.
   * @param isRenewed whether to keep a Lease; a node without a Lease never counts as lost
   */
  async start(isRenewed = true): Promise<void> {
    const { clock, random } = this.#ports
    const backoff = new Backoff({ first: 400, max: 7_000, random })
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
      // The node existed before this kubelet. A user may have created it, without the default labels.
      if (!isAlreadyExists(error)) throw error
      await client.patch(nodes, { name }, { type: 'merge', patch: { metadata: { labels: own } } })
    }
    await this.#report(undefined)
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return
    await this.#done('renew the lease of', () => this.#writeLease())
    await this.#done('report', () => this.#poll())
    if (this.#stopped) return
    // Renew each Lease at a random time slightly before its end, so that not all Leases are renewed at the same time.
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

  /** Checks the node, because it may be marked as lost, or removed. */
  async #poll(): Promise<void> {
    try {
      await this.#report(await this.#ports.client.get(nodes, { name: this.#name }))
    } catch (error) {
      if (!isNotFound(error)) throw error
      await this.#register()
    }
  }

  /** Writes the node's status, unless it is unchanged. */
  async #report(known: Node | undefined): Promise<void> {
    const isReady = await this.#isReady()
    if (conditionOf(known?.status?.conditions, 'Ready')?.status === (isReady ? 'True' : 'False')) return
    const { client, clock } = this.#ports
    const patch = { status: nodeStatus(this.#description!, isReady, clock.now()) }
    await client.patch(nodes, { name: this.#name }, { type: 'strategic', patch }, { subresource: 'status' })
  }
}

/** A kubelet's report about its node. */
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

/** The prefix of a runtime version that marks simulated nodes. */
export const recordingScheme = 'recording:'
