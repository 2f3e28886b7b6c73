import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { clusterDomain } from './control-plane.ts'
import { kubeconfig } from './kubeconfig.ts'

/** Paths and addresses of a kubelet and its parts. */
export interface KubeletLayout {
  /** Name of the kubelet's node. */
  name: string
  /** Address of the node, at which the kubelet listens. */
  address: string
  port: number
  /** Folder of the kubelet's configuration. */
  folder: string
  /** Folder of volumes and seccomp profiles. */
  root: string
  /** Path of containerd's socket. */
  socket: string
  /** Path of the parent control group of all its pods. */
  cgroup: string
}

/**
 * Files of a kubelet of the cluster, by their names below its folder.
 * @param server URL of the API server, as seen from the node
 */
export async function kubeletFiles(
  cluster: Cluster,
  layout: KubeletLayout,
  server: string,
): Promise<Record<string, string>> {
  const { authority } = cluster.pki
  const user = `system:node:${layout.name}`
  const client = await authority.issue({ name: user, organization: 'system:nodes', use: 'client' })
  // The API server calls outside nodes by their names, which may be addresses.
  const addresses = [layout.address, ...(isIP(layout.name) ? [layout.name] : [])]
  const serving = await authority.issue({ name: user, use: 'server', addresses, hosts: [layout.name] })
  return {
    kubeconfig: kubeconfig(server, cluster.ca, client),
    'ca.crt': cluster.ca,
    'server.crt': serving.certificate,
    'server.key': serving.key,
    'kubelet.json': kubeletConfiguration(layout),
  }
}

export function kubeletCommand(program: string, { name, address, folder, root }: KubeletLayout): string[] {
  const flags = {
    config: join(folder, 'kubelet.json'),
    kubeconfig: join(folder, 'kubeconfig'),
    'hostname-override': name,
    'node-ip': address,
    'root-dir': root,
    'cert-dir': folder,
  }
  return [program, ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)]
}

/** Format: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubeletConfiguration({ folder, socket, address, port, cgroup }: KubeletLayout): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(folder, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    address,
    port,
    healthzBindAddress: address,
    healthzPort: 10248,
    tlsCertFile: join(folder, 'server.crt'),
    tlsPrivateKeyFile: join(folder, 'server.key'),
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroup,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    enforceNodeAllocatable: [],
    makeIPTablesUtilChains: false,
    clusterDomain,
    staticPodPath: join(folder, 'manifests'),
    volumePluginDir: join(folder, 'plugins'),
    podLogsDir: join(folder, 'logs'),
    // This machine's other programs share the disk and the memory, and a test must not be evicted because of them.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '5s',
    syncFrequency: '10s',
  })
}
