import { nodes } from '../../src/manager/cluster-resources.ts'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { type GuestNode, varmorInGuest } from '../kernel/guest/guest-node.ts'

/** Makes the guest a node of the sandbox, with an agent. */
export async function joinSandbox(node: GuestNode, sandbox: Sandbox): Promise<void> {
  // The agent's token is bound to the Node, so the Node is created here; then agent and kubelet can start at the same
  // time.
  await sandbox.client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: node.name } })
  const [{ kubeconfig }, agent] = await Promise.all([sandbox.admitNode(node.name), sandbox.admitAgent(node.name)])
  const path = await node.write('kubelet.kubeconfig', kubeconfig)
  await node.containerdUp()
  const { kubeletPort: port } = node
  const served = ['--listen', `0.0.0.0:${port}`, '--advertise', `127.0.0.1:${port}`]
  node.start('kubelet', [...varmorInGuest, 'sandbox-node', '--name', node.name, '--kubeconfig', path, ...served])
  await node.startAgent(agent)
}
