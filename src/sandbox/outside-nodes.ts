import { setTimeout as pause } from 'node:timers/promises'
import { group } from '../api/crds.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import { defineResource } from '../kube/resources.ts'
import { nodes } from '../manager/cluster-resources.ts'
import { kubeletProxy } from './api-server/kubelet-proxy.ts'
import type { NodeProxy } from './api-server/node-proxy.ts'
import { objectOf, textOf } from './api-server/schema/json.ts'
import type { RunningApiServer } from './api-server/start-api-server.ts'
import { badRequest } from './api-server/status.ts'
import { recordingScheme } from './nodes/node-registration.ts'

/** Nodes of a sandbox that run elsewhere: in a virtual machine, with a kubelet and an agent of their own. */

const agentRole = 'varmor-sandbox-agent'
const rbac = 'rbac.authorization.k8s.io'
const reads = { verbs: ['get', 'list', 'watch'] }
const agentRules = [
  { apiGroups: [group], resources: ['*'], ...reads },
  { apiGroups: [''], resources: ['configmaps', 'nodes', 'pods'], ...reads },
]

/** What kubelets and agents may do, as their certificates and tokens name them. Again, it changes nothing. */
export async function allowOutsideNodes(client: ApiClient, namespace: string): Promise<void> {
  const binding = (name: string, role: string, subject: object) => ({
    ...{ kind: 'ClusterRoleBinding', metadata: { name }, subjects: [subject] },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
  })
  const objects = [
    { kind: 'ClusterRole', metadata: { name: agentRole }, rules: agentRules },
    binding('varmor-sandbox-nodes', 'system:node', { apiGroup: rbac, kind: 'Group', name: 'system:nodes' }),
    binding(agentRole, agentRole, { kind: 'ServiceAccount', name: 'varmor-agent', namespace }),
  ]
  for (const object of objects) {
    const plural = `${object.kind.toLowerCase()}s`
    const ref = defineResource({ group: rbac, version: 'v1', plural, kind: object.kind, namespaced: false })
    await client.apply(ref, object, { fieldManager: 'varmor-sandbox', force: true })
  }
}

/** As the API server of a cluster is known to its kubelets. */
export const kubeletClient = { name: 'kube-apiserver-kubelet-client', groups: ['system:masters'] } as const

/** Asks the kubelets of nodes outside; the made-up nodes of this process run nothing that could answer. */
export function outsideKubelets(api: () => RunningApiServer): NodeProxy {
  let identity: Promise<{ cert: string; key: string; ca: string }> | undefined
  const kubelets = kubeletProxy(() => {
    identity ??= kubeletIdentity(api())
    return identity
  })
  return {
    async pod(node, pod, subresource, request) {
      const runtime = textOf(objectOf(objectOf(node['status'])['nodeInfo'])['containerRuntimeVersion'])
      if (runtime.startsWith(recordingScheme))
        throw badRequest(
          `pod ${pod.metadata.name}: the nodes of this sandbox record what they would run; there is no ${subresource}`,
        )
      return kubelets.pod(node, pod, subresource, request)
    },
  }
}

async function kubeletIdentity({ authority, caPem }: RunningApiServer) {
  const { certificatePem, keyPem } = await authority.client(kubeletClient.name, kubeletClient.groups, Date.now())
  return { cert: certificatePem, key: keyPem, ca: caPem }
}

/** The uid of a node, once its kubelet has registered it. */
export async function registeredNode(client: ApiClient, name: string, signal?: AbortSignal): Promise<string> {
  for (;;) {
    try {
      const { metadata } = await client.get(nodes, { name })
      if (metadata?.uid !== undefined) return metadata.uid
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    await pause(250, undefined, { signal })
  }
}
