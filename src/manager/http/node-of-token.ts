import type { CallOptions } from '../../kube/caller.ts'
import type { ApiClient } from '../../kube/client.ts'
import type { TokenVerdict } from '../../kube/token-review.ts'
import { pods } from '../cluster-resources.ts'

/** Extra fields of a bound token's user. The node's field exists from Kubernetes 1.30 on. */
export const nodeNameKey = 'authentication.kubernetes.io/node-name'
const podNameKey = 'authentication.kubernetes.io/pod-name'
const podUidKey = 'authentication.kubernetes.io/pod-uid'

/** The node that a pod is bound to, which never changes; undefined if it has none, or the pod does not exist. */
export type FindNode = (pod: { name: string; uid: string }) => Promise<string | undefined>

/**
 * The verdict about an agent's token, with the node it speaks for: its pod's node, if the token itself names none.
 * @throws the error of `find`; then the node is unknown
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

/** Asks the API server for a list of at most one pod: managers may list pods. */
export const findNode =
  (client: ApiClient, namespace: string, options: CallOptions): FindNode =>
  async ({ name, uid }) => {
    const { items } = await client.list(pods, { namespace, fieldSelector: `metadata.name=${name}`, ...options })
    return items.find(({ metadata }) => metadata?.uid === uid)?.spec?.nodeName
  }
