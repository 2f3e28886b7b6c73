import type { KubeObject } from './kube-object.ts'
import type { ApiRequest, ApiResponse } from './request.ts'
import { notFound } from './status.ts'

/** The server's requests to a node's kubelet, for `pods/log`, `pods/exec` and similar. */
export interface NodeProxy {
  /**
   * Answers for a pod on a node. `subresource` is `log`, `exec`, `attach` or `portforward`; query and body are in the
   * request.
   */
  pod(node: KubeObject, pod: KubeObject, subresource: string, request: ApiRequest): Promise<ApiResponse>
}

/** A proxy that reaches no node, because the sandbox has none. */
export const noNodes: NodeProxy = {
  pod: async (node) => {
    throw notFound({ group: '', resource: 'nodes' }, node.metadata.name)
  },
}
