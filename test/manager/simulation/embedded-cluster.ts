import type { VarmorPolicySpec } from '../../../src/api/types.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { type Random, seededRandom } from '../../../src/base/random.ts'
import { ApiClient } from '../../../src/kube/client.ts'
import { unlimited } from '../../../src/kube/limiter.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { varmorPolicies } from '../../../src/kube/own-kinds.ts'
import { nodes } from '../../../src/manager/cluster-resources.ts'
import { ApiServer } from '../../../src/sandbox/api-server/server.ts'
import { agentToken } from '../../../src/sandbox/install.ts'
import { InProcessConnection } from '../../sandbox/in-process-connection.ts'

export const INSTALL_NAMESPACE = 'varmor'

const administrators = ['system:masters', 'system:authenticated']

/** No webhook is registered, so the server calls none. */
const noWebhooks = () => Promise.reject(new Error('no webhook is called here'))

/** The embedded API server without sockets, under a clock that a test moves. */
export class EmbeddedCluster {
  readonly server: ApiServer
  readonly admin: ApiClient
  readonly #clock: Clock
  readonly #random: Random

  constructor(clock: Clock, seed: number) {
    this.#clock = clock
    this.#random = seededRandom(seed)
    let ids = 0
    this.server = new ApiServer({
      clock,
      random: this.#random,
      uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
      caPem: 'a certificate',
      transport: noWebhooks,
    })
    this.admin = new ApiClient({
      connection: this.connect('admin'),
      limiter: unlimited,
      clock,
      random: this.#random,
    })
  }

  connect(name: string): InProcessConnection {
    return new InProcessConnection(this.server.client({ name, groups: administrators }))
  }

  /** @returns a token of the agent on that node, bound to the node */
  async addNode(name: string, images = 0): Promise<string> {
    const { metadata } = await this.admin.create(nodes, nodeObject(name, images, this.#clock.now()))
    return agentToken(this.admin, INSTALL_NAMESPACE, { name, uid: metadata?.uid ?? '' })
  }

  async removeNode(name: string): Promise<void> {
    await this.admin.delete(nodes, { name })
  }

  async addPolicy(namespace: string, name: string, spec: VarmorPolicySpec): Promise<void> {
    await this.admin.create(varmorPolicies, { metadata: { namespace, name }, spec } as never)
  }

  /** Sends the heartbeat that a kubelet sends every five minutes if nothing changes. */
  async heartbeat(name: string): Promise<void> {
    const conditions = conditionsAt(this.#clock.now())
    await this.admin.patch(nodes, { name }, { type: 'merge', patch: { status: { conditions } } }, statusOf)
  }
}

const statusOf = { subresource: 'status' }

const reasons = { MemoryPressure: 'False', DiskPressure: 'False', PIDPressure: 'False', Ready: 'True' }

const conditionsAt = (now: number) =>
  Object.entries(reasons).map(([type, status]) => ({
    type,
    status,
    lastHeartbeatTime: `${new Date(now).toISOString().slice(0, 19)}Z`,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: `Kubelet${type}`,
    message: `the kubelet says of ${type} that it is ${status}`,
  }))

/** A node as a kubelet registers it. Kubelets report at most 50 images, which are the largest part of a Node. */
export function nodeObject(name: string, images: number, now: number): KubeObject {
  const resources = { cpu: '64', memory: '263841472Ki', pods: '110', 'ephemeral-storage': '515923200Ki' }
  return {
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: { podCIDR: '10.0.0.0/24' },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [{ type: 'Hostname', address: name }],
      conditions: conditionsAt(now),
      images: Array.from({ length: images }, (_, i) => imageOf(i)),
    },
  } as KubeObject
}

function imageOf(i: number) {
  const repository = `registry.example.com/platform/service-${i}`
  const digest = String(i).padStart(64, '0123456789abcdef')
  return { names: [`${repository}@sha256:${digest}`, `${repository}:v1.${i}.0`], sizeBytes: 80_000_000 + i }
}
