import type { CallOptions } from '../../kube/caller.ts'
import type { ApiClient } from '../../kube/client.ts'
import type { TokenVerdict } from '../../kube/token-review.ts'
import { pods } from '../cluster-resources.ts'

/**
 * Extra fields that the API server reports for the user of a bound token. It reports the node since Kubernetes 1.30.
 */
export const nodeNameKey = 'authentication.kubernetes.io/node-name'
const podNameKey = 'authentication.kubernetes.io/pod-name'
const podUidKey = 'authentication.kubernetes.io/pod-uid'

/** Finds the node of a pod. Undefined if the pod does not exist or has no node. A pod never moves to another node. */
export type FindNode = (pod: { name: string; uid: string }) => Promise<string | undefined>

/**
 * Adds the node of the token's pod to the verdict about an agent's token, unless the token names the node.
 * @throws the error of `find`
 */
export async function withNode(verdict: TokenVerdict, find: FindNode): Promise<TokenVerdict> {
  if ('refused' in verdict) return verdict
  const { user } = verdict
  const { extra = {} } = user
  const [name] = extra[podNameKey] ?? []
  const [uid] = extra[podUidKey] ?? []
  if (extra[nodeNameKey] !== undefined || name === undefined || uid === undefined) return verdict
  const node = await find({ name, uid })
  if (node === undefined)
    return { refused: `the token is bound to the pod ${name}, which does not exist or is not on a node` }
  return { user: { ...user, extra: { ...extra, [nodeNameKey]: [node] } } }
}

/** Lists the pods of this name, because managers may list pods but not get a single pod. */
export const findNode =
  (client: ApiClient, namespace: string, options: CallOptions): FindNode =>
  async ({ name, uid }) => {
    const { items } = await client.list(pods, { namespace, fieldSelector: `metadata.name=${name}`, ...options })
    return items.find(({ metadata }) => metadata?.uid === uid)?.spec?.nodeName
  }
