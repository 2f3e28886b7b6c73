import { setTimeout as pause } from 'node:timers/promises'
import { isNotFound } from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import { nodes } from '../manager/cluster-resources.ts'
import { kubeletProxy } from './api-server/kubelet-proxy.ts'
import type { NodeProxy } from './api-server/node-proxy.ts'
import { objectOf, textOf } from './api-server/schema/json.ts'
import type { RunningApiServer } from './api-server/start-api-server.ts'
import { badRequest } from './api-server/status.ts'
import { recordingScheme } from './nodes/node-registration.ts'
import { sandboxClock } from './sandbox-clock.ts'

/** Nodes of a sandbox that run outside its process, such as in a virtual machine, with their own kubelet and agent. */

/** The identity with which the API server connects to kubelets. */
export const kubeletClient = { name: 'kube-apiserver-kubelet-client', groups: ['system:masters'] } as const

/**
 * Forwards requests to kubelets of outside nodes. The simulated nodes of this process have no containers that could
 * answer.
 */
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
          `pod ${pod.metadata.name}: the nodes of this sandbox are simulated and run no containers; ${subresource} is not available`,
        )
      return kubelets.pod(node, pod, subresource, request)
    },
  }
}

async function kubeletIdentity({ authority, caPem }: RunningApiServer) {
  const { certificatePem, keyPem } = await authority.client(
    kubeletClient.name,
    kubeletClient.groups,
    sandboxClock.wall(),
  )
  return { cert: certificatePem, key: keyPem, ca: caPem }
}

/** The uid of a node. Resolves when its kubelet has registered the node. */
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
