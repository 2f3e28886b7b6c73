import type { CallOptions } from '../../kube/caller.ts'
import type { ApiClient } from '../../kube/client.ts'
import type { TokenVerdict } from '../../kube/token-review.ts'
import { pods } from '../cluster-resources.ts'

/** Extra fields of the user of a bound token. That of the node is there from Kubernetes 1.30 on. */
export const nodeNameKey = 'authentication.kubernetes.io/node-name'
const podNameKey = 'authentication.kubernetes.io/pod-name'
const podUidKey = 'authentication.kubernetes.io/pod-uid'

/** The node that a pod is bound to, which never changes; undefined while it has none, and where no such pod is there. */
export type FindNode = (pod: { name: string; uid: string }) => Promise<string | undefined>

/**
 * The verdict about an agent's token with the node for which it speaks: that of its pod, where the token names no node itself.
 * @throws what `find` throws; the caller does not know then
 */
export async function withNode(verdict: TokenVerdict, find: FindNode): Promise<TokenVerdict> {
  if ('refused' in verdict) return verdict
  const { user } = verdict
  const { extra = {} } = user
  const [name] = extra[podNameKey] ?? []
  const [uid] = extra[podUidKey] ?? []
  if (extra[nodeNameKey] !== undefined || name === undefined || uid === undefined) return verdict
  const node = await find({ name, uid })
  if (node === undefined) return { refused: `the token is bound to the pod ${name}, which is not there or on no node` }
  return { user: { ...user, extra: { ...extra, [nodeNameKey]: [node] } } }
}

/** Asks the API server, by a list that finds one pod at most: managers may list pods. */
export const findNode =
  (client: ApiClient, namespace: string, options: CallOptions): FindNode =>
  async ({ name, uid }) => {
    const { items } = await client.list(pods, { namespace, fieldSelector: `metadata.name=${name}`, ...options })
    return items.find(({ metadata }) => metadata?.uid === uid)?.spec?.nodeName
  }
