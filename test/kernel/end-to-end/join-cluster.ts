import type { Cluster } from '../../cluster/cluster.ts'
import { type KubeletLayout, kubeletCommand, kubeletFiles } from '../../cluster/kubelet.ts'
import { type GuestNode, guestAddress } from '../guest/guest-node.ts'
import { kubeletInGuest } from './kubelet-disk.ts'

/**
 * The node name of a guest. The API server reaches a kubelet by its node's name, and QEMU forwards that port into the
 * guest. A kubelet refuses a loopback address as its node's address.
 */
export const guestNodeName = '127.0.0.1'

/**
 * Joins the guest to the cluster with a real kubelet. Resolves when the node is ready.
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
