import type { KubeObject } from './kube-object.ts'
import type { ApiRequest, ApiResponse } from './request.ts'
import { notFound } from './status.ts'

/** What the server asks of the kubelet of a node, for `pods/log`, `pods/exec` and the like. */
export interface NodeProxy {
  /**
   * Answers for a pod that runs on a node. `subresource` is `log`, `exec`, `attach` or `portforward`; the query and
   * body are in the request.
   */
  pod(node: KubeObject, pod: KubeObject, subresource: string, request: ApiRequest): Promise<ApiResponse>
}

/** No node can be reached: the sandbox has not been given any. */
export const noNodes: NodeProxy = {
  pod: async (node) => {
    throw notFound({ group: '', resource: 'nodes' }, node.metadata.name)
  },
}
