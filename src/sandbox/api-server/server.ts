import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { ServerAdmission } from './admission/admission.ts'
import type { WebhookTransport } from './admission/webhook-transport.ts'
import { TokenIssuer } from './auth/token-issuer.ts'
import { bootstrap } from './bootstrap.ts'
import type { ApiContext } from './context.ts'
import { GarbageCollector } from './controllers/garbage-collector.ts'
import { NamespaceController } from './controllers/namespace-controller.ts'
import type { StoreController } from './controllers/store-controller.ts'
import { DefinitionController } from './crd/definition-controller.ts'
import { OpenApi } from './discovery/open-api.ts'
import { pathHandler } from './discovery/paths.ts'
import { handleRequest, type PathHandler } from './handlers/handle-request.ts'
import { indexedFields, indexValues } from './handlers/list-objects.ts'
import { type NodeProxy, noNodes } from './node-proxy.ts'
import { Registry } from './registry/registry.ts'
import type { ApiRequest, ApiResponse, UserInfo } from './request.ts'
import { Store, type StoreDump } from './store/store.ts'
import { WatchHub } from './watch/watch-hub.ts'

export interface ServerOptions {
  readonly clock: Clock
  readonly random: Random
  /** Returns a random UUID. */
  readonly uuid: () => string
  readonly caPem: string
  /** Calls webhooks. */
  readonly transport: WebhookTransport
  readonly nodes?: NodeProxy
  readonly managedFields?: boolean
  /** Maximum number of events that a watch may lag behind; a watch that lags more is ended. */
  readonly watchBound?: number
}

/** A server's state as plain JSON, from which another process can continue. */
export interface ServerSnapshot {
  readonly store: StoreDump
  readonly tokenKeyPem: string
}

/** A function that wraps the handling of requests. The client gets the function's answer or error. */
export type Interceptor = (
  request: ApiRequest,
  user: UserInfo,
  handle: () => Promise<ApiResponse>,
) => Promise<ApiResponse>

export type InProcessClient = (request: ApiRequest) => Promise<ApiResponse>

/** An API server without sockets. Every authenticated user may do everything: RBAC objects are stored, not enforced. */
export class ApiServer {
  /** Handles each request. Code that injects faults replaces this function. */
  intercept: Interceptor = (_request, _user, handle) => handle()
  readonly context: ApiContext
  private readonly paths: PathHandler
  private readonly controllers: StoreController[]

  constructor(options: ServerOptions, restored?: ServerSnapshot) {
    this.context = makeContext(options, restored)
    this.controllers = startControllers(this.context, restored !== undefined)
    this.paths = pathHandler(new OpenApi(this.context.registry))
    bootstrap(this.context)
  }

  /** A client for one user, as a function from requests to answers. Objects in answers are shared and frozen. */
  client(user: UserInfo): InProcessClient {
    return (request) => this.handle(request, user)
  }

  /** Answers a request. A refusal is also an answer; only an interceptor may throw. */
  handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse> {
    return this.intercept(request, user, () => handleRequest(this.context, this.paths, request, user))
  }

  /** Resolves when the server's own controllers have finished the work that earlier writes caused. */
  async idle(): Promise<void> {
    // Each controller may create work for the others, so repeat until all are idle in one round.
    let revision = -1
    while (revision !== this.context.store.revision) {
      revision = this.context.store.revision
      for (const controller of this.controllers) await controller.idle()
    }
  }

  snapshot(): ServerSnapshot {
    return { store: this.context.store.dump(), tokenKeyPem: this.context.tokens.privateKeyPem }
  }

  close(): void {
    for (const controller of this.controllers) controller.close()
    this.context.hub.close()
  }
}

function makeContext(options: ServerOptions, restored: ServerSnapshot | undefined): ApiContext {
  const { clock, random, uuid, caPem, transport, watchBound } = options
  const store = new Store()
  for (const storage of Object.keys(indexedFields)) store.defineIndex(storage, indexValues(storage)!)
  if (restored) store.restore(restored.store)
  const tokens = new TokenIssuer(store, clock, restored?.tokenKeyPem)
  return {
    ...{ store, clock, random, uuid, caPem, tokens },
    registry: new Registry(),
    hub: new WatchHub(store, { clock, indexValues, ...(watchBound === undefined ? {} : { bound: watchBound }) }),
    admission: new ServerAdmission({ store, transport, uuid }, random),
    nodes: options.nodes ?? noNodes,
    managedFields: options.managedFields ?? true,
  }
}

function startControllers(context: ApiContext, restored: boolean): StoreController[] {
  const collector = new GarbageCollector(context)
  const crds = new DefinitionController(context)
  if (restored) for (const controller of [collector, crds]) controller.scan()
  return [collector, new NamespaceController(context), crds]
}
