import { join } from 'node:path'
import { pauseImage } from './binaries/images.ts'
import { clusterDomain } from './control-plane.ts'
import type { NodeNetwork } from './pod-network.ts'
import { cniPlugins } from './requirements.ts'

/** Where the parts of one node are. */
export interface NodeLayout extends NodeNetwork {
  name: string
  folder: string
  /** Folder of the cluster's PKI. */
  pki: string
  /** Path of the socket of containerd. */
  socket: string
  /** Name of the control group that holds all of its pods. */
  cgroup: string
}

const text = JSON.stringify

/** Format: version 2 of containerd's configuration, which 1.6 to 2.x read. A string of JSON is one of TOML. */
export function containerdConfiguration({ folder, socket }: NodeLayout): string {
  return `version = 2
root = ${text(join(folder, 'containerd'))}
state = ${text(join(folder, 'run'))}
[grpc]
  address = ${text(socket)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(pauseImage)}
  # This machine may not let us lower a score.
  restrict_oom_score_adj = true
  # Below our folder, where a sweep finds them.
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(cniPlugins)}
    conf_dir = ${text(join(folder, 'cni'))}
[plugins."io.containerd.internal.v1.opt"]
  path = ${text(join(folder, 'opt'))}
`
}

export function cniConfiguration({ bridge, subnet, folder }: NodeLayout): string {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: join(folder, 'addresses'),
  }
  const plugin = { type: 'bridge', bridge, isGateway: true, ipMasq: false, hairpinMode: true, ipam }
  return text({ cniVersion: '0.4.0', name: bridge, plugins: [plugin] })
}

/** Format: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
export function kubeletConfiguration({ folder, pki, socket, address, cgroup }: NodeLayout): string {
  return text({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    // Each node has an address of its own, so all use the usual ports.
    address,
    port: 10250,
    healthzBindAddress: address,
    healthzPort: 10248,
    tlsCertFile: join(folder, 'server.crt'),
    tlsPrivateKeyFile: join(folder, 'server.key'),
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    enforceNodeAllocatable: [],
    makeIPTablesUtilChains: false,
    clusterDomain,
    staticPodPath: join(folder, 'manifests'),
    volumePluginDir: join(folder, 'plugins'),
    podLogsDir: join(folder, 'logs'),
    // The disk and the memory are shared with all else on this machine; a test must not be evicted for that.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '5s',
    syncFrequency: '10s',
  })
}
