import type { Cluster } from '../../cluster/cluster.ts'
import { type KubeletLayout, kubeletCommand, kubeletFiles } from '../../cluster/kubelet.ts'
import { type GuestNode, guestAddress } from '../guest/guest-node.ts'
import { kubeletInGuest } from './kubelet-disk.ts'

/**
 * The name of a node in a guest. The API server reaches a kubelet by the name of its node, and QEMU leads from there into
 * the guest; a loopback address as node's address is what kubelet refuses.
 */
export const guestNodeName = '127.0.0.1'

/**
 * Makes it a node of the cluster, with a real kubelet. Resolves when it is ready.
 * @param limit milliseconds
 * @param server URL of the API server from the guest
 */
export async function joinCluster(
  node: GuestNode,
  cluster: Cluster,
  limit: number,
  server = cluster.outsideServer,
): Promise<void> {
  const layout: KubeletLayout = {
    name: node.name,
    address: guestAddress,
    port: node.kubeletPort,
    folder: node.folder,
    root: '/var/lib/kubelet',
    socket: '/run/containerd/containerd.sock',
    cgroup: '/',
  }
  for (const [name, text] of Object.entries(await kubeletFiles(cluster, layout, server))) {
    await node.write(name, text)
  }
  await node.run(['mkdir', '-p', `${layout.folder}/manifests`])
  await node.containerdUp()
  node.start('kubelet', kubeletCommand(kubeletInGuest, layout))
  await node.unlessEnded(cluster.nodeReady(node.name, limit))
}
