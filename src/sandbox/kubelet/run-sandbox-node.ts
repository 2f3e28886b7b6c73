import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Logger } from '../../base/logger.ts'
import { ApiClient } from '../../kube/client.ts'
import { KubeConnection } from '../../kube/connection.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import { versionInfo } from '../api-server/version-info.ts'
import { sandboxClock } from '../sandbox-clock.ts'
import { Cri } from './cri.ts'
import { Kubelet } from './kubelet.ts'
import { KubeletServer } from './kubelet-server.ts'
import { ownAddress } from './node-facts.ts'

export interface SandboxNodeOptions {
  /**
   * Configuration with the node's certificate from `Sandbox.admitNode`. The kubelet's server uses this certificate,
   * too, and accepts clients that its authority made masters.
   */
  readonly config: KubeConfig
  readonly name: string
  /** containerd's socket. */
  readonly containerd: string
  /** Address on which the kubelet's server listens. Port 0: any free port. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Address at which the API server reaches it, if this differs, as for a forwarded port. */
  readonly advertise?: { readonly host: string; readonly port: number }
  /** The node's own address; default: the first address that is not loopback. */
  readonly address?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Default `/var/lib/kubelet`. */
  readonly root?: string
  /** Default `/var/log/pods`. */
  readonly podLogs?: string
  /** `cni`: pods get a network of their own. Default `host`. */
  readonly network?: 'host' | 'cni'
  readonly logger: Pick<Logger, 'warn'>
  /** Aborts a start that is still waiting for containerd or the API server. */
  readonly signal?: AbortSignal
}

export interface SandboxNode {
  /** Port of the kubelet's server. */
  readonly port: number
  /** Stops the node's kubelet. Its pods keep running. */
  stop(): Promise<void>
}

/**
 * Starts a node of a sandbox: a small kubelet that uses containerd. Resolves when the node is registered and its pods
 * are known.
 * @throws when the port is taken, or the configuration lacks a certificate
 */
export async function runSandboxNode(options: SandboxNodeOptions): Promise<SandboxNode> {
  const { config, listen, advertise, labels, logger, name, signal } = options
  const { root = '/var/lib/kubelet', podLogs = '/var/log/pods', address = ownAddress() } = options
  const tls = await certificateOf(config)
  const cri = new Cri(options.containerd)
  const client = new ApiClient({
    connection: new KubeConnection(config),
    limiter: new PriorityLimiter({ qps: 50, burst: 100 }),
  })
  const kubelet = new Kubelet({
    ...{ client, cri, root, podLogs, clock: sandboxClock, random: Math.random },
    node: { name, address, ...(advertise && { externalAddress: advertise.host }), ...(labels && { labels }) },
    ownNetwork: options.network === 'cni',
    environment: serverVariables(config),
    version: String(versionInfo()['gitVersion']),
    failed: (what, err) => logger.warn({ err, job: what }, 'work of the kubelet failed; it is tried again'),
  })
  const server = new KubeletServer({ ...{ pods: kubelet, cri, podLogs, clock: sandboxClock, tls }, ...listen })
  const stop = async (): Promise<void> => {
    await kubelet.stop()
    await server.close()
    await client.close()
    cri.close()
  }
  const giveUp = (): void => void kubelet.stop()
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    const port = await server.listen()
    await kubelet.start(advertise?.port ?? port)
    return { port, stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

/** PEM of our certificate and of the authority in the kubeconfig. @throws {Error} when a part is missing */
async function certificateOf(config: KubeConfig): Promise<{ cert: string; key: string; ca: string }> {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const { cert, key, ca } = options
  if (!cert || !key || !ca)
    throw new Error('the kubeconfig has no certificate; take the one that the sandbox has written for this node')
  return { cert: String(cert), key: String(key), ca: String(ca) }
}

/**
 * Variables by which pods find the API server. They have its own address, because no service of the cluster leads
 * there.
 */
function serverVariables(config: KubeConfig): Record<string, string> {
  const { hostname, port } = new URL(config.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc')
  return {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port || '443',
    KUBERNETES_SERVICE_PORT_HTTPS: port || '443',
  }
}
