import type { Clock, Timer } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import { microTimestamp } from '../../api-server/context.ts'
import { type ClusterClient, isStatus } from '../cluster-client.ts'
import { leases, nodes } from '../resources.ts'

export interface NodeLeasePorts {
  readonly client: ClusterClient
  readonly clock: Clock
  readonly random: Random
  readonly failed: (what: string, error: unknown) => void
}

/** Seconds. */
const leaseDuration = 40
/** Milliseconds: a quarter of the duration. */
const leaseRenewal = 10_000
const leaseNamespace = 'kube-node-lease'

/** The Lease by which a node shows that it is alive. */
export class NodeLease {
  readonly #name: string
  readonly #ports: NodeLeasePorts
  #timer: Timer | undefined
  #stopped = false

  constructor(name: string, ports: NodeLeasePorts) {
    this.#name = name
    this.#ports = ports
  }

  /** Writes it, and again and again until `stop`. */
  async start(): Promise<void> {
    if (this.#stopped) return
    const { clock, random, failed } = this.#ports
    try {
      await this.#write()
    } catch (error) {
      failed(`renew the lease of node ${this.#name}`, error)
    }
    if (this.#stopped) return
    // Not all at once: each a little sooner than it must.
    const delay = leaseRenewal * (1 - random() * 0.04)
    this.#timer = clock.after(delay, () => void this.start())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #write(): Promise<void> {
    const { client, clock } = this.#ports
    const name = this.#name
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: leaseDuration,
      renewTime: microTimestamp(clock.now()),
    }
    const { apiVersion, kind } = leases
    const lease = { apiVersion, kind, metadata: { name, namespace: leaseNamespace }, spec }
    try {
      await client.patch(leases, lease, { spec }, { type: 'merge' })
    } catch (error) {
      if (!isStatus(error, 404)) throw error
      const node = await client.get(nodes, '', name)
      // It goes with its node.
      const owner = { apiVersion: nodes.apiVersion, kind: nodes.kind, name, uid: node?.metadata.uid ?? '' }
      await client.create(leases, {
        ...lease,
        metadata: { ...lease.metadata, ...(node ? { ownerReferences: [owner] } : {}) },
      })
    }
  }
}
