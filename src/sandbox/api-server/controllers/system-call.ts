import type { ApiContext, ResourceCall } from '../context.ts'
import { serverUser } from '../handlers/internal-call.ts'
import type { Resource } from '../registry/resource.ts'

/** A call that the server makes of itself. */
export function systemCall(context: ApiContext, resource: Resource, namespace: string, name: string): ResourceCall {
  const { group, version, plural } = resource
  return {
    context,
    request: { method: 'POST', path: '', headers: { 'user-agent': 'kube-apiserver' } },
    user: serverUser,
    query: new URLSearchParams(),
    warnings: [],
    info: {
      isResource: true,
      path: '',
      verb: 'update',
      group,
      version,
      namespace,
      name,
      resource: plural,
      subresource: '',
    },
    resource,
    subresource: undefined,
  }
}

/** The resource whose objects a place of the store holds; undefined once its definition is gone. */
export const resourceOfStorage = ({ registry }: ApiContext, storage: string): Resource | undefined =>
  registry.all().find((resource) => resource.storage === storage)
