import { checkObject, checkVersion, readList, type Unfit } from './answers.ts'
import { ConnectionError, isConflict } from './api-error.ts'
import { Caller, type CallerOptions, type CallOptions } from './caller.ts'
import type { Fence } from './fence.ts'
import { isTooLong, PageSize } from './list-plan.ts'
import { apiVersionOf, type KubeObject, type ObjectList, type ResourceRef, type Status } from './objects.ts'
import {
  createRequest,
  type DeleteOptions,
  deleteCollectionRequest,
  deleteRequest,
  getRequest,
  type ListOptions,
  listRequest,
  type Patch,
  patchRequest,
  type Target,
  updateRequest,
  type WatchOptions,
  type WriteOptions,
} from './requests.ts'
import { runWatch, type WatchSink } from './watch-stream.ts'

/**
 * All API operations on objects of a kind. Every method throws ApiError if the server refuses, ConnectionError if there
 * is no usable answer, and FencedError if the fence stops a write.
 */
export class ApiClient {
  readonly caller: Caller
  #fence: Fence | undefined

  constructor(options: CallerOptions | Caller, fence?: Fence) {
    this.caller = options instanceof Caller ? options : new Caller(options)
    this.#fence = fence
  }

  /** Stops the limiter, all requests and all connections. Stop reflectors before, otherwise they report failures. */
  close(): Promise<void> {
    return this.caller.close()
  }

  /** A client with the same connections whose writes all go through the fence. */
  fenced(fence: Fence): ApiClient {
    return new ApiClient(this.caller, fence)
  }

  /** The server's `/version`. Some providers have values such as `29+` for `minor`. */
  async version(options: CallOptions = {}): Promise<{ major: string; minor: string; gitVersion: string }> {
    const request = { verb: 'get', resource: versionPath, method: 'GET', path: '/version', repeatable: true } as const
    return checkVersion(await this.caller.call(request, { class: 'read', ...callOptions(options) }), request)
  }

  get<T extends KubeObject>(
    ref: ResourceRef<T>,
    target: Target,
    options: CallOptions & { subresource?: string } = {},
  ): Promise<T> {
    return this.#call(getRequest(ref, target, options), options)
  }

  /**
   * Reads one page; `metadata.continue` is the token of the next page. Objects get the apiVersion and kind, which lists
   * omit.
   */
  async list<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: ListOptions & CallOptions = {},
  ): Promise<ObjectList<T>> {
    const { unfit, ...list } = await this.listFit(ref, options)
    const [first] = unfit
    if (first === undefined) return list
    const context = { verb: 'list', path: listRequest(ref, options).path }
    throw new ConnectionError(
      'NOT_JSON',
      context,
      `${unfit.length} entries of the list are not objects of this kind, such as ${first.why}`,
    )
  }

  /** Like `list`, but returns unusable objects in `unfit` instead of throwing. */
  async listFit<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: ListOptions & CallOptions = {},
  ): Promise<ObjectList<T> & { unfit: Unfit[] }> {
    const request = listRequest(ref, options)
    const answer = await this.caller.call(request, { fence: this.#fence, ...callOptions(options) })
    const list = readList<T>(answer, request)
    const apiVersion = apiVersionOf(ref)
    for (const item of list.items) {
      item.apiVersion ??= apiVersion
      item.kind ??= ref.kind
    }
    return list
  }

  /**
   * Reads all pages of a list, which all show the same moment. `limit` is at most 500 by default; pages of very large
   * objects have fewer objects.
   * @throws {ApiError} isExpired if the server no longer has this moment before the last page: start over
   */
  async *listPages<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: ListOptions & CallOptions = {},
  ): AsyncGenerator<ObjectList<T>, void, undefined> {
    const pages = new PageSize(options.limit)
    let asked = options
    for (;;) {
      const page = await this.#page(ref, asked, pages)
      yield page
      const next = page.metadata.continue
      if (next === undefined || next === '') return
      // The continue token includes the version of the list. The server refuses a request that has both.
      asked = { ...options, continue: next, resourceVersion: undefined, resourceVersionMatch: undefined }
    }
  }

  /** Reads a page with as many objects as fit into an answer. */
  async #page<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: ListOptions & CallOptions,
    pages: PageSize,
  ): Promise<ObjectList<T>> {
    for (;;) {
      try {
        const page = await this.list(ref, { ...options, limit: pages.size })
        pages.grow()
        return page
      } catch (error) {
        if (!isTooLong(error) || !pages.shrink()) throw error
      }
    }
  }

  create<T extends KubeObject>(ref: ResourceRef<T>, object: T, options: WriteOptions & CallOptions = {}): Promise<T> {
    const namespace = ref.namespaced ? requireNamespace(ref, object.metadata?.namespace) : undefined
    return this.#call(createRequest(ref, { namespace }, typed(ref, object), options), options)
  }

  /** Creates a subresource of an object, such as an `eviction` of a pod or a `token` of a service account. */
  createSubresource<R>(
    ref: ResourceRef,
    target: Target & { subresource: string },
    body: object,
    options: WriteOptions & CallOptions = {},
  ): Promise<R> {
    const { subresource, ...place } = target
    return this.#call(createRequest(ref, place, body, { ...options, subresource }), options)
  }

  /** Replaces an object. With a `metadata.resourceVersion`, only if the stored object has this version. */
  update<T extends KubeObject>(ref: ResourceRef<T>, object: T, options: WriteOptions & CallOptions = {}): Promise<T> {
    return this.#call(updateRequest(ref, targetOf(ref, object), typed(ref, object), options), options)
  }

  updateStatus<T extends KubeObject>(
    ref: ResourceRef<T>,
    object: T,
    options: WriteOptions & CallOptions = {},
  ): Promise<T> {
    return this.update(ref, object, { ...options, subresource: 'status' })
  }

  patch<T extends KubeObject>(
    ref: ResourceRef<T>,
    target: Target,
    patch: Patch,
    options: WriteOptions & CallOptions & { force?: boolean } = {},
  ): Promise<T> {
    return this.#call(patchRequest(ref, target, patch, options), options)
  }

  /**
   * Server-side apply of the fields in `object`. With `force`, we become the manager of fields that other clients
   * manage.
   */
  apply<T extends KubeObject>(
    ref: ResourceRef<T>,
    object: T,
    options: WriteOptions & CallOptions & { fieldManager: string; force?: boolean },
  ): Promise<T> {
    return this.patch(ref, targetOf(ref, object), { type: 'apply', patch: typed(ref, object) }, options)
  }

  /**
   * Deletes an object.
   * @returns the object if the server sends it, for example because finalizers keep it; otherwise a Status
   */
  delete<T extends KubeObject>(
    ref: ResourceRef<T>,
    target: Target,
    options: DeleteOptions & CallOptions = {},
  ): Promise<T | Status> {
    return this.#call(deleteRequest(ref, target, options), options)
  }

  deleteCollection(
    ref: ResourceRef,
    which: ListOptions,
    options: DeleteOptions & CallOptions = {},
  ): Promise<KubeObject> {
    return this.#call(deleteCollectionRequest(ref, which, options), options)
  }

  /**
   * Watches until the server ends the watch. It has no limiter and no retries, because Reflector retries.
   * @throws {ApiError} the server refused, possibly with an ERROR event
   * @throws {ConnectionError} the connection broke, or the answer was not a watch
   */
  watch<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: WatchOptions,
    sink: WatchSink<T>,
    signal: AbortSignal,
  ): Promise<void> {
    return runWatch(this.caller, ref, options, sink, signal)
  }

  /**
   * Reads an object, changes it with `mutate`, and writes it; after a conflict, again with the new state. `mutate` may
   * change its object or return another object. If it returns undefined, nothing is written, and the object is returned
   * unchanged.
   */
  async updateWithRetry<T extends KubeObject>(
    ref: ResourceRef<T>,
    target: Target,
    mutate: (object: T) => T | undefined,
    options: WriteOptions & CallOptions & { conflicts?: number } = {},
  ): Promise<T> {
    for (let left = options.conflicts ?? 5; ; left--) {
      const read = await this.get(ref, target, {
        ...callOptions(options),
        ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
      })
      const changed = mutate(read)
      if (changed === undefined) return read
      try {
        return await this.update(ref, changed, options)
      } catch (error) {
        if (!isConflict(error) || left <= 0) throw error
      }
    }
  }

  async #call<R>(request: Parameters<Caller['call']>[0], options: CallOptions): Promise<R> {
    const answer = await this.caller.call(request, { fence: this.#fence, ...callOptions(options) })
    checkObject(answer, request)
    return answer as R
  }
}

/** This is not an API object. The name is for metrics. */
const versionPath: ResourceRef = { group: '', version: '', plural: 'version', kind: 'Version', namespaced: false }

function callOptions({ signal, deadline, attempts, class: of, fence }: CallOptions): CallOptions {
  return { signal, deadline, attempts, class: of, ...(fence === undefined ? {} : { fence }) }
}

function typed<T extends KubeObject>(ref: ResourceRef<T>, object: T): T {
  return { apiVersion: apiVersionOf(ref), kind: ref.kind, ...object }
}

function requireNamespace(ref: ResourceRef, namespace: string | undefined): string {
  if (namespace === undefined || namespace === '') throw new TypeError(`${ref.kind} needs metadata.namespace`)
  return namespace
}

function targetOf(ref: ResourceRef, { metadata }: KubeObject): Target {
  if (!metadata?.name) throw new TypeError(`${ref.kind} needs metadata.name`)
  return ref.namespaced
    ? { name: metadata.name, namespace: requireNamespace(ref, metadata.namespace) }
    : { name: metadata.name }
}
