import type { UserInfo } from './admission.ts'
import type { CallOptions } from './caller.ts'
import type { ApiClient } from './client.ts'
import type { KubeObject } from './objects.ts'
import { defineResource } from './resources.ts'

/** The access that is checked. */
export interface Access {
  verb: 'get' | 'create' | 'update'
  group: string
  version: string
  resource: string
  namespace: string
  name: string
}

/** authorization.k8s.io/v1 SubjectAccessReview: asks the server whether a user may do something. */
interface SubjectAccessReview extends KubeObject {
  spec: {
    user: string
    groups?: string[]
    uid?: string
    extra?: Record<string, string[]>
    resourceAttributes: Access
  }
  status?: { allowed?: boolean; reason?: string }
}

const subjectAccessReviews = defineResource<SubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
})

/**
 * Whether the API server gives the user this access. Any user of the cluster can cause this request, so all other
 * requests have priority.
 * @throws {ApiError} and {ConnectionError} of the client: it is unknown whether the user has access
 */
export async function mayAccess(
  client: ApiClient,
  { username, groups, uid, extra }: UserInfo & { username: string },
  access: Access,
  options: CallOptions = {},
): Promise<boolean> {
  const spec = {
    user: username,
    ...(groups !== undefined && { groups }),
    ...(uid !== undefined && { uid }),
    ...(extra !== undefined && { extra }),
    resourceAttributes: access,
  }
  const { status } = await client.create(subjectAccessReviews, { spec }, { class: 'stranger', ...options })
  return status?.allowed === true
}
