import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { Containerd } from '../../agent/containers/containerd.ts'
import type { GrpcClient } from '../../agent/containers/grpc-client.ts'
import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { ApiClient } from '../../kube/client.ts'
import { KubeConnection } from '../../kube/connection.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import { versionInfo } from '../api-server/version-info.ts'
import { containerdClient } from './cri.ts'
import { Kubelet } from './kubelet.ts'
import { KubeletServer } from './kubelet-server.ts'
import { ownAddress } from './node-facts.ts'

export interface SandboxNodeOptions {
  /**
   * With the certificate that `Sandbox.admitNode` has made for this node. The kubelet's own server shows it too, and
   * obeys whom its authority has made a master.
   */
  readonly config: KubeConfig
  readonly name: string
  /** containerd's socket. */
  readonly containerd: string
  /** Where the kubelet's server listens; port 0 for any that is free. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Where the API server reaches it, if that is somewhere else: a port that is forwarded. */
  readonly advertise?: { readonly host: string; readonly port: number }
  /** The node's own address; by default the first that is not loopback. */
  readonly address?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Default `/var/lib/kubelet`. */
  readonly root?: string
  /** Default `/var/log/pods`. */
  readonly podLogs?: string
  /** `cni`: pods get a network of their own. Default `host`. */
  readonly network?: 'host' | 'cni'
  readonly logger: Pick<Logger, 'info' | 'warn'>
  /** Ends a start that still waits for containerd or the API server. */
  readonly signal?: AbortSignal
}

/** A node of a sandbox: a small kubelet on a containerd. */
export class SandboxNode {
  readonly kubelet: Kubelet
  #port = 0
  readonly #server: KubeletServer
  readonly #client: ApiClient
  readonly #containerd: GrpcClient
  readonly #events: Containerd

  private constructor(parts: {
    kubelet: Kubelet
    server: KubeletServer
    client: ApiClient
    containerd: GrpcClient
    events: Containerd
  }) {
    this.kubelet = parts.kubelet
    this.#server = parts.server
    this.#client = parts.client
    this.#containerd = parts.containerd
    this.#events = parts.events
  }

  /**
   * Resolves when the node is registered and its pods are known.
   * @throws when containerd does not answer, the port is taken, or the configuration lacks a certificate
   */
  static async start(options: SandboxNodeOptions): Promise<SandboxNode> {
    const { config, listen, advertise, logger, network = 'host' } = options
    const { root = '/var/lib/kubelet', podLogs = '/var/log/pods', address = ownAddress() } = options
    const tls = await certificateOf(config)
    const containerd = containerdClient(options.containerd)
    const events = new Containerd({ socket: options.containerd })
    const client = new ApiClient({
      connection: new KubeConnection(config),
      limiter: new PriorityLimiter({ qps: 50, burst: 100 }),
    })
    const kubelet = new Kubelet({
      ...{ name: options.name, address, root, podLogs, client, containerd, events },
      ...(advertise !== undefined && { externalAddress: advertise.host }),
      ...(options.labels !== undefined && { labels: options.labels }),
      ownNetwork: network === 'cni',
      environment: serverVariables(config),
      version: String(versionInfo()['gitVersion']),
      ...{ clock: systemClock, random: Math.random },
      failed: (what, error) => logger.warn({ err: error, what }, 'work of the kubelet failed; it is tried again'),
    })
    const server = new KubeletServer({
      ...{ pods: kubelet, containerd, podLogs, clock: systemClock, tls },
      ...listen,
    })
    const node = new SandboxNode({ kubelet, server, client, containerd, events })
    const giveUp = (): void => void kubelet.stop()
    options.signal?.addEventListener('abort', giveUp, { once: true })
    try {
      node.#port = await server.listen()
      await kubelet.start(advertise?.port ?? node.port)
      options.signal?.removeEventListener('abort', giveUp)
      return node
    } catch (error) {
      await node.stop()
      throw error
    }
  }

  /** Of the kubelet's server. */
  get port(): number {
    return this.#port
  }

  /** How it stands, for a line of the log. */
  get status(): object {
    return { port: this.port, pods: this.kubelet.size }
  }

  /** Leaves its pods running. */
  async stop(): Promise<void> {
    await this.kubelet.stop()
    await this.#server.close()
    await this.#client.close()
    this.#events.close()
    this.#containerd.close()
  }
}

/** Starts a node of a sandbox: see SandboxNode.start. */
export const runSandboxNode = (options: SandboxNodeOptions): Promise<SandboxNode> => SandboxNode.start(options)

/** PEM: what the kubeconfig says of us and of the authority. @throws {Error} naming what is missing */
async function certificateOf(config: KubeConfig): Promise<{ cert: string; key: string; ca: string }> {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const text = (value: unknown, field: string): string => {
    if (typeof value === 'string' || Buffer.isBuffer(value)) return String(value)
    throw new Error(`the kubeconfig has no ${field}; take the one that the sandbox has written for this node`)
  }
  return {
    cert: text(options.cert, 'client-certificate-data'),
    key: text(options.key, 'client-key-data'),
    ca: text(options.ca, 'certificate-authority-data'),
  }
}

/** By which programs in pods find the API server: no service of the cluster leads there, but its own address does. */
function serverVariables(config: KubeConfig): Record<string, string> {
  const { hostname, port } = new URL(config.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc')
  return {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port || '443',
    KUBERNETES_SERVICE_PORT_HTTPS: port || '443',
  }
}
