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
   * Configuration with the node's certificate from `Sandbox.admitNode`. The kubelet's server also uses this
   * certificate, and accepts clients that the same authority has put in the group system:masters.
   */
  readonly config: KubeConfig
  readonly name: string
  /** Path of containerd's socket. */
  readonly containerd: string
  /** Address on which the kubelet's server listens. Port 0 means any free port. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Address at which the API server reaches the kubelet, if it differs, for example because of a forwarded port. */
  readonly advertise?: { readonly host: string; readonly port: number }
  /** The node's own address. Default: the first address that is not a loopback address. */
  readonly address?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Folder of the kubelet. Default `/var/lib/kubelet`. */
  readonly root?: string
  /** Folder for logs of pods. Default `/var/log/pods`. */
  readonly podLogs?: string
  /** With `cni`, CNI gives each pod its own network. Default `host`. */
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
 * @throws when the port is in use, or the configuration lacks a certificate
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
    failed: (what, err) => logger.warn({ err, job: what }, 'work of the kubelet failed; retrying'),
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

/** The node's certificate, and the authority from the kubeconfig, in PEM. @throws {Error} when a part is missing */
async function certificateOf(config: KubeConfig): Promise<{ cert: string; key: string; ca: string }> {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const { cert, key, ca } = options
  if (!cert || !key || !ca)
    throw new Error(
      'the kubeconfig does not contain a certificate; use the kubeconfig that the sandbox wrote for this node',
    )
  return { cert: String(cert), key: String(key), ca: String(ca) }
}

/**
 * Environment variables with which pods find the API server. They contain the server's own address, because the cluster
 * has no service for it.
 */
function serverVariables(config: KubeConfig): Record<string, string> {
  const { hostname, port } = new URL(config.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc')
  return {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port || '443',
    KUBERNETES_SERVICE_PORT_HTTPS: port || '443',
  }
}
