import type { KubeObject } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import type { UserInfo } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'

/** The admission steps of a write, before the object is stored. */
export interface Admission {
  /**
   * Returns the object after the server's and the mutating webhooks' changes; for a deletion, the old object.
   * @throws {ApiStatusError}
   */
  mutate(request: AdmissionRequest): Promise<KubeObject>
  /** @throws {ApiStatusError} */
  validate(request: AdmissionRequest): Promise<void>
}

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

/** One write request, as admission receives it. */
export interface AdmissionRequest {
  readonly operation: Operation
  readonly resource: Resource
  /** Name of the subresource; empty for the resource itself. */
  readonly subresource: string
  /** The kind of the written object. If a subresource has its own kind, such as Scale, it is this kind. */
  readonly objectType: { readonly apiVersion: string; readonly kind: string }
  readonly namespace: string
  readonly name: string
  /** The new object; undefined for a deletion. */
  readonly object: KubeObject | undefined
  readonly oldObject: KubeObject | undefined
  readonly options: JsonObject
  readonly dryRun: boolean
  readonly user: UserInfo
  /** Texts for `Warning` headers. */
  readonly warnings: string[]
}
