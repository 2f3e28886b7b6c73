import type { KubeObject } from './kube-object.ts'
import type { ApiRequest, ApiResponse } from './request.ts'
import { notFound } from './status.ts'

/** The server's requests to a node's kubelet, for `pods/log`, `pods/exec` and similar. */
export interface NodeProxy {
  /**
   * The answer of a node for one of its pods. `subresource` is `log`, `exec`, `attach` or `portforward`; query and body
   * are in the request.
   */
  pod(node: KubeObject, pod: KubeObject, subresource: string, request: ApiRequest): Promise<ApiResponse>
}

/** A proxy for a sandbox without nodes that can answer. */
export const noNodes: NodeProxy = {
  pod: async (node) => {
    throw notFound({ group: '', resource: 'nodes' }, node.metadata.name)
  },
}
