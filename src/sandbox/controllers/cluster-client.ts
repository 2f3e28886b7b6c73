import type { KubeObject } from '../api-server/kube-object.ts'
import type { ApiRequest, ApiResponse, WatchResponse } from '../api-server/request.ts'
import type { JsonObject, JsonValue } from '../api-server/schema/json.ts'
import { ApiStatusError, type Status } from '../api-server/status.ts'
import { pathOf, type Resource } from './resources.ts'

/** The request path of an API server, without sockets. */
export type Requests = (request: ApiRequest) => Promise<ApiResponse>

export interface DeleteRequest {
  readonly uid?: string
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
}

export interface PatchRequest {
  readonly type: 'merge' | 'strategic-merge'
  readonly subresource?: string
}

/** Is told of every version that a write has made. */
export type WriteObserver = (resource: Resource, resourceVersion: string) => void

/** Typed requests for objects. What the server refuses is thrown as `ApiStatusError`. */
export class ClusterClient {
  private readonly requests: Requests
  private readonly wrote: WriteObserver | undefined

  constructor(requests: Requests, wrote?: WriteObserver) {
    this.requests = requests
    this.wrote = wrote
  }

  /** The same client, whose writes someone follows. */
  observed(wrote: WriteObserver): ClusterClient {
    return new ClusterClient(this.requests, wrote)
  }

  /** Undefined when there is none of that name. */
  async get<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string): Promise<T | undefined> {
    try {
      return (await this.call('GET', pathOf(resource, namespace, name))) as unknown as T
    } catch (error) {
      if (isStatus(error, 404)) return undefined
      throw error
    }
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    query: Readonly<Record<string, string>> = {},
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const list = (await this.call('GET', pathOf(resource), undefined, query)) as {
      items: T[]
      metadata: { resourceVersion: string }
    }
    return { items: list.items, resourceVersion: list.metadata.resourceVersion }
  }

  async watch(resource: Resource, query: Readonly<Record<string, string>>): Promise<WatchResponse> {
    const response = await this.requests({ method: 'GET', path: pathOf(resource), query: { ...query, watch: 'true' } })
    if (response.type === 'watch') return response
    throw refusal(response)
  }

  create<T extends KubeObject>(resource: Resource<T>, object: NewObject): Promise<T> {
    const { apiVersion, kind } = resource
    return this.write(resource, 'POST', pathOf(resource, object.metadata.namespace), { ...object, apiVersion, kind })
  }

  update<T extends KubeObject>(resource: Resource<T>, object: T, subresource = ''): Promise<T> {
    const { apiVersion, kind } = resource
    const path = below(pathOf(resource, object.metadata.namespace, object.metadata.name), subresource)
    return this.write(resource, 'PUT', path, { ...object, apiVersion, kind })
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    { metadata: { namespace, name } }: KubeObject,
    patch: JsonObject,
    { type, subresource = '' }: PatchRequest,
  ): Promise<T> {
    const path = below(pathOf(resource, namespace, name), subresource)
    return this.write(resource, 'PATCH', path, patch, { 'content-type': `application/${type}-patch+json` })
  }

  /** What is gone already counts as deleted; so does another object of the name when a uid is given. */
  async delete(resource: Resource, { metadata }: KubeObject, options: DeleteRequest = {}): Promise<void> {
    const { uid, ...others } = options
    const body = { ...others, ...(uid === undefined ? {} : { preconditions: { uid } }) }
    const path = pathOf(resource, metadata.namespace, metadata.name)
    try {
      await this.write(resource, 'DELETE', path, { kind: 'DeleteOptions', apiVersion: 'v1', ...body })
    } catch (error) {
      if (isStatus(error, 404)) return
      // A conflict may also be a passing one: only another uid says that the object is gone.
      if (uid === undefined || !isStatus(error, 409)) throw error
      const found = await this.get(resource, metadata.namespace ?? '', metadata.name)
      if (found?.metadata.uid === uid) throw error
    }
  }

  /** A POST to a subresource whose answer is of no interest: `binding`. */
  async post(resource: Resource, { metadata }: KubeObject, subresource: string, body: JsonObject): Promise<void> {
    await this.call('POST', below(pathOf(resource, metadata.namespace, metadata.name), subresource), body)
  }

  private async write<T>(
    resource: Resource,
    method: string,
    path: string,
    body: JsonValue,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const answer = (await this.call(method, path, body, {}, headers)) as unknown as KubeObject
    const version = answer.metadata?.resourceVersion
    if (version) this.wrote?.(resource, version)
    return answer as unknown as T
  }

  private async call(
    method: string,
    path: string,
    body?: JsonValue,
    query: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<JsonObject> {
    const agent = { 'user-agent': 'sandbox-controllers', ...headers }
    const request = { method, path, query, headers: agent, ...(body === undefined ? {} : { body }) }
    const response = await this.requests(request)
    if (response.type === 'json' && response.code < 300) return response.body as JsonObject
    throw refusal(response)
  }
}

/** An object that is to be created: what makes up its type is known from the resource. */
export type NewObject = JsonObject & {
  metadata: JsonObject & { name?: string; generateName?: string; namespace?: string }
}

const below = (path: string, subresource: string): string => (subresource === '' ? path : `${path}/${subresource}`)

function refusal(response: ApiResponse): Error {
  if (response.type === 'json') return new ApiStatusError(response.body as unknown as Status)
  return new Error(`The API server answered ${response.code}${response.type === 'text' ? `: ${response.text}` : ''}`)
}

/** Whether an error is a refusal of the API server with this HTTP status. */
export const isStatus = (error: unknown, code: number): boolean =>
  error instanceof ApiStatusError && error.status.code === code

/** Whether an object of the name is there already; a conflict of writes has the same HTTP status. */
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiStatusError && error.status.reason === 'AlreadyExists'

/** Whether the server refuses because the namespace is going away: then there is nothing to retry. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof ApiStatusError &&
  (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
