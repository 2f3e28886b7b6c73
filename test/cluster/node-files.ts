import { join } from 'node:path'
import { pauseImage } from './binaries/images.ts'
import type { KubeletLayout } from './kubelet.ts'
import type { NodeNetwork } from './pod-network.ts'
import { cniPlugins } from './requirements.ts'

/** Paths of the parts of one node. */
export type NodeLayout = NodeNetwork & KubeletLayout

const text = JSON.stringify

/**
 * Format: version 2 of containerd's configuration, which containerd 1.6 to 2.x read. A JSON string is a valid TOML
 * string.
 */
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
