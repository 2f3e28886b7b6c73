import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Admission } from './admission/admission-request.ts'
import type { TokenIssuer } from './auth/token-issuer.ts'
import type { RequestInfo } from './http/request-info.ts'
import type { NodeProxy } from './node-proxy.ts'
import type { Registry } from './registry/registry.ts'
import type { Resource, SubresourceSpec } from './registry/resource.ts'
import type { ApiRequest, UserInfo } from './request.ts'
import type { Store } from './store/store.ts'
import type { WatchHub } from './watch/watch-hub.ts'

/** The parts of a server that request handlers use. */
export interface ApiContext {
  readonly store: Store
  readonly registry: Registry
  readonly hub: WatchHub
  readonly clock: Clock
  readonly random: Random
  readonly admission: Admission
  readonly tokens: TokenIssuer
  readonly nodes: NodeProxy
  /** Whether to keep `metadata.managedFields`. Controller tests turn this off to run faster. */
  readonly managedFields: boolean
  /** The content of every namespace's `kube-root-ca.crt`. */
  readonly caPem: string
  /** Returns a random UUID. */
  uuid(): string
}

/** A request in progress. */
export interface Call {
  readonly context: ApiContext
  readonly request: ApiRequest
  readonly info: RequestInfo
  readonly user: UserInfo
  readonly query: URLSearchParams
  /** Texts for `Warning` headers. */
  readonly warnings: string[]
}

/** A request for a resource that the server has. */
export interface ResourceCall extends Call {
  readonly resource: Resource
  readonly subresource: SubresourceSpec | undefined
}

/** The time in the form that objects use: whole seconds. */
export const timestamp = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`

/** The name of a resource in error texts. */
export const groupResource = ({ group, plural }: Resource): { group: string; resource: string } => ({
  group,
  resource: plural,
})

export const namespaceOf = (call: ResourceCall): string => (call.resource.namespaced ? call.info.namespace : '')

/** A call on behalf of the server itself. */
export function systemCall(context: ApiContext, resource: Resource, namespace: string, name: string): ResourceCall {
  const { group, version, plural } = resource
  const info = { isResource: true, path: '', verb: 'update', group, version, namespace, name, resource: plural }
  return {
    ...{ context, resource, subresource: undefined, warnings: [], query: new URLSearchParams() },
    request: { method: 'POST', path: '', headers: { 'user-agent': 'kube-apiserver' } },
    user: { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] },
    info: { ...info, subresource: '' },
  }
}
