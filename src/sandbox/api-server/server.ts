import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { AdmissionChain } from './admission/admission-chain.ts'
import { escalationCheck } from './admission/plugins/escalation-check.ts'
import { namespaceLifecycle } from './admission/plugins/namespace-lifecycle.ts'
import { nodeTaint } from './admission/plugins/node-taint.ts'
import { podDefaults } from './admission/plugins/pod-defaults.ts'
import { serviceAccountAdmission } from './admission/plugins/service-account.ts'
import { storageProtection } from './admission/plugins/storage-protection.ts'
import { webhookAdmission } from './admission/webhooks/webhook-admission.ts'
import type { WebhookTransport } from './admission/webhooks/webhook-transport.ts'
import { Authenticator } from './auth/authenticator.ts'
import type { Authorizer } from './auth/authorizer.ts'
import { RbacAuthorizer } from './auth/rbac-authorizer.ts'
import { TokenIssuer } from './auth/token-issuer.ts'
import { aggregateRoles, bootstrap } from './bootstrap.ts'
import type { ApiContext } from './context.ts'
import { GarbageCollector } from './controllers/garbage-collector.ts'
import { NamespaceController } from './controllers/namespace-controller.ts'
import { WorkQueue } from './controllers/work-queue.ts'
import { DefinitionController } from './crd/definition-controller.ts'
import { definitionHooks } from './crd/definition-hooks.ts'
import { OpenApi } from './discovery/open-api.ts'
import { Faults } from './faults.ts'
import { withFaults } from './faulty-request.ts'
import { failure, handleRequest, type PathHandler } from './handlers/handle-request.ts'
import { pathHandler } from './handlers/paths.ts'
import { refusal } from './handlers/refusal.ts'
import { indexedFields, indexValues } from './handlers/selection.ts'
import { requestInfo } from './http/request-info.ts'
import { type NodeProxy, noNodes } from './node-proxy.ts'
import { Registry } from './registry/registry.ts'
import type { ApiRequest, ApiResponse, UserInfo } from './request.ts'
import { ServiceHooks } from './services/service-hooks.ts'
import { Expiry } from './store/expiry.ts'
import { Store, type StoreDump, type StoreOptions } from './store/store.ts'
import { versionInfo } from './version-info.ts'
import { WatchHub } from './watch/watch-hub.ts'

export interface ServerOptions {
  readonly clock: Clock
  readonly random: Random
  /** A random UUID. */
  readonly uuid: () => string
  readonly caPem: string
  /** How webhooks are called. */
  readonly transport: WebhookTransport
  readonly nodes?: NodeProxy
  readonly staticTokens?: ReadonlyMap<string, UserInfo>
  /** EC P-256, PEM: signs service account tokens. */
  readonly tokenKeyPem?: string
  readonly managedFields?: boolean
  readonly store?: StoreOptions
  /** Events that a watch may fall behind before it is cut. */
  readonly watchBound?: number
  /** Host and port that clients reach, once known. */
  readonly address?: () => string
  /** Seed of the faults' own randomness is whoever gives this. */
  readonly faultRandom?: Random
  /** Told of what a controller of the server could not do. It will be tried again with the next change. */
  readonly onControllerError?: (controller: string, key: string, error: unknown) => void
}

/** What the server is at a moment, as plain JSON: enough to go on from in another process. */
export interface ServerSnapshot {
  readonly store: StoreDump
  readonly tokenKeyPem: string
}

export type InProcessClient = (request: ApiRequest) => Promise<ApiResponse>

/** An API server without sockets. */
export class ApiServer {
  readonly faults: Faults
  readonly context: ApiContext
  private readonly paths: PathHandler
  private readonly controllers: { idle?(): Promise<void>; close(): void }[]

  constructor(options: ServerOptions, restored?: ServerSnapshot) {
    this.context = makeContext(options, restored)
    this.faults = new Faults(options.faultRandom ?? options.random)
    this.controllers = startControllers(this.context, options, restored !== undefined)
    this.paths = pathHandler({
      openApi: new OpenApi(this.context.registry),
      version: versionInfo(),
      address: options.address ?? (() => '127.0.0.1'),
    })
    bootstrap(this.context)
  }

  /** The request path of one user: a function from requests to answers. Objects in answers are shared and frozen. */
  client(user: UserInfo): InProcessClient {
    return (request) => this.handle(request, user)
  }

  /** The 403 of a user who wants to be another and may not; undefined if he may. */
  impersonationRefusal(request: ApiRequest, user: UserInfo, as: UserInfo): ApiResponse | undefined {
    const info = requestInfo(request)
    const base = { ...info, user, isResource: true, verb: 'impersonate', group: '', subresource: '' }
    const { authorizer } = this.context
    const wanted = [
      { ...base, ...impersonatedResource(as.name) },
      ...as.groups
        .filter((group) => !group.startsWith('system:serviceaccounts') && group !== 'system:authenticated')
        .map((name) => ({ ...base, resource: 'groups', name, namespace: '' })),
    ]
    if (wanted.every((asked) => authorizer.authorize(asked).allowed)) return undefined
    // The server speaks of the finer permission, which it tries first.
    return failure(refusal({ ...info, user, verb: `impersonate-on:user-info:${info.verb}` }, ''))
  }

  /** @throws {ConnectionResetError} when a fault says so; every refusal is an answer */
  handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse> {
    const handle = (): Promise<ApiResponse> => handleRequest(this.context, this.paths, request, user)
    return withFaults(this.faults, this.context.clock, request, user, handle)
  }

  /** Resolves once the server's own controllers have done what follows from the writes so far. */
  async idle(): Promise<void> {
    // Each may give the others something to do: until none has had anything in a whole round.
    let revision = -1
    while (revision !== this.context.store.revision) {
      revision = this.context.store.revision
      for (const controller of this.controllers) await controller.idle?.()
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

function impersonatedResource(user: string): { resource: string; name: string; namespace: string } {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? []
  if (namespace !== undefined && account !== undefined) return { resource: 'serviceaccounts', name: account, namespace }
  return { resource: 'users', name: user, namespace: '' }
}

function makeContext(options: ServerOptions, restored: ServerSnapshot | undefined): ApiContext {
  const { clock, random, uuid, caPem } = options
  const registry = new Registry()
  const store = new Store(options.store)
  for (const storage of Object.keys(indexedFields)) store.defineIndex(storage, indexValues(storage)!)
  if (restored) store.restore(restored.store)
  const hub = new WatchHub(store, {
    clock,
    indexValues,
    typeOf: () => ({ apiVersion: '', kind: '' }),
    ...(options.watchBound === undefined ? {} : { bound: options.watchBound }),
  })
  const authorizer = new RbacAuthorizer(store)
  const tokens = new TokenIssuer(store, clock, restored?.tokenKeyPem ?? options.tokenKeyPem)
  return {
    store,
    registry,
    hub,
    clock,
    random,
    uuid,
    caPem,
    tokens,
    authenticator: new Authenticator(tokens, options.staticTokens),
    authorizer,
    admission: admissionChain(store, registry, authorizer, options),
    nodes: options.nodes ?? noNodes,
    managedFields: options.managedFields ?? true,
    hooks: new Map([
      ['apiextensions.k8s.io/customresourcedefinitions', definitionHooks],
      ['/services', new ServiceHooks(store)],
    ]),
  }
}

function admissionChain(
  store: Store,
  registry: Registry,
  authorizer: Authorizer,
  { random, uuid, transport }: ServerOptions,
): AdmissionChain {
  return new AdmissionChain([
    namespaceLifecycle(store),
    serviceAccountAdmission(store, random),
    nodeTaint,
    podDefaults(store),
    storageProtection,
    webhookAdmission({ store, registry, transport, uuid }),
    escalationCheck(store, authorizer),
  ])
}

function startControllers(
  context: ApiContext,
  { onControllerError }: ServerOptions,
  restored: boolean,
): { idle?(): Promise<void>; close(): void }[] {
  const failed = (controller: string) => (key: string, error: unknown) => {
    if (onControllerError) onControllerError(controller, key, error)
    // Said where Node.js says such things: the server goes on, and tries again with the next change.
    else process.emitWarning(`${controller}: ${key}: ${error instanceof Error ? error.stack : String(error)}`)
  }
  const collector = new GarbageCollector(context, failed('garbage collector'))
  const namespaces = new NamespaceController(context, failed('namespaces'))
  const crds = new DefinitionController(context, failed('definitions'))
  const roles = new WorkQueue(() => aggregateRoles(context), failed('aggregated roles'))
  context.store.listen((storage) => {
    if (storage === 'rbac.authorization.k8s.io/clusterroles') roles.add('all')
  })
  if (restored) {
    collector.scan()
    crds.scan()
  }
  return [collector, namespaces, crds, roles, new Expiry(context.store, '/events', context.clock)]
}
