import { createHash } from 'node:crypto'
import { issuer } from '../auth/token-issuer.ts'
import type { Call } from '../context.ts'
import {
  aggregatedDiscovery,
  coreVersions,
  groupDocument,
  groupList,
  resourceList,
} from '../discovery/discovery-documents.ts'
import { type OpenApi, openApiV2 } from '../discovery/open-api.ts'
import { type ApiResponse, json, text } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'
import { methodNotAllowed, pathNotFound } from '../status.ts'
import { failure, type PathHandler } from './handle-request.ts'

export interface PathOptions {
  readonly openApi: OpenApi
  /** The body of `/version`. */
  readonly version: JsonObject
  /** Host and port, as the discovery of old clients has it. */
  readonly address: () => string
}

/** Answers the paths that are no resources. */
export function pathHandler(options: PathOptions): PathHandler {
  return (call) => {
    const parts = call.info.path.split('/').filter((part) => part !== '')
    const answer = answerOf(options, call, parts)
    if (answer && !['GET', 'HEAD'].includes(call.request.method)) throw methodNotAllowed()
    return answer
  }
}

function answerOf(options: PathOptions, call: Call, [first = '', ...rest]: string[]): ApiResponse | undefined {
  switch (first) {
    case '':
      return json(200, { paths: rootPaths(call) })
    case 'api':
      return discovery(call, rest, '', options)
    case 'apis':
      return discovery(call, rest.slice(1), rest[0], options)
    case 'version':
      // Indented, as its reader is often a person.
      return {
        ...text(200, `${JSON.stringify(options.version, undefined, 2)}`),
        headers: { 'content-type': 'application/json' },
      }
    case 'healthz':
    case 'livez':
    case 'readyz':
      return health(call, first)
    case 'openapi':
      return openApi(options, call, rest)
    case '.well-known':
      return rest[0] === 'openid-configuration' ? json(200, openIdConfiguration(options)) : undefined
    case 'openid':
      return rest.join('/') === 'v1/jwks' ? json(200, call.context.tokens.keySet()) : undefined
    default:
      return undefined
  }
}

function rootPaths({ context }: Call): string[] {
  const groups = context.registry.groups().sort()
  const versions = groups.flatMap((group) => [
    `/apis/${group}`,
    ...context.registry.versions(group).map((version) => `/apis/${group}/${version}`),
  ])
  return ['/api', '/api/v1', '/apis', ...versions, '/healthz', '/livez', '/openapi/v3', '/readyz', '/version']
}

function health(call: Call, name: string): ApiResponse {
  return text(200, call.query.has('verbose') ? `[+]ping ok\n[+]store ok\n${name} check passed\n` : 'ok')
}

/** How a client asks for all of discovery at once. */
const aggregated = /application\/json;.*\bg=apidiscovery\.k8s\.io/

function discovery(
  call: Call,
  [version, ...more]: string[],
  group: string | undefined,
  options: PathOptions,
): ApiResponse | undefined {
  const { registry } = call.context
  if (more.length > 0) return undefined
  if (version !== undefined && group !== undefined) {
    const isServed = registry.all().some((resource) => resource.group === group && resource.custom === undefined)
    // Of a group that is built in, an unknown version is refused by its routes.
    return optional(resourceList(registry, group, version)) ?? (isServed ? failure(pathNotFound()) : undefined)
  }
  const isCore = group === ''
  if (group !== undefined && !isCore) return optional(groupDocument(registry, group))
  const accept = call.request.headers?.['accept'] ?? ''
  // Clients name the version they like best first; v2 is what there is.
  if (aggregated.test(accept) && /v=v2(?!beta)/.test(accept)) return aggregatedAnswer(call, isCore)
  return json(200, isCore ? coreVersions(options.address()) : groupList(registry), { vary: 'Accept' })
}

function aggregatedAnswer(call: Call, isCore: boolean): ApiResponse {
  const document = aggregatedDiscovery(call.context.registry, isCore)
  const etag = `"${createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase()}"`
  const headers = {
    'content-type': 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    vary: 'Accept',
    etag,
  }
  if (call.request.headers?.['if-none-match'] === etag) return { type: 'text', code: 304, headers: { etag }, text: '' }
  return json(200, document, headers)
}

const optional = (document: JsonObject | undefined): ApiResponse | undefined => document && json(200, document)

function openApi(
  { openApi: documents }: PathOptions,
  call: Call,
  [version, ...path]: string[],
): ApiResponse | undefined {
  if (version === 'v2') return path.length === 0 ? olderOpenApi(call) : undefined
  if (version !== 'v3') return undefined
  if (path.length === 0) return json(200, documents.index())
  const document = documents.document(path.join('/'))
  if (!document) return undefined
  const etag = `"${document.hash}"`
  if (call.request.headers?.['if-none-match'] === etag) return { type: 'text', code: 304, headers: { etag }, text: '' }
  const wanted = call.query.get('hash')
  // A link with the right hash may be kept for good.
  const caching = wanted === document.hash ? { 'cache-control': 'public, immutable', vary: 'Accept' } : {}
  const headers = { 'content-type': 'application/json', etag, ...caching }
  return { type: 'text', code: 200, headers, text: document.text }
}

const protobufType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/**
 * Clients fall back to the older form for kinds that no newer document has, and want it in protobuf. There it is a
 * document without definitions, which says the same: that there is no such kind. Every byte of it is ASCII.
 */
const emptyDocument = '\n\x032.0\x12\x13\n\nKubernetes\x12\x05v1.37B\0'

function olderOpenApi({ request }: Call): ApiResponse {
  const accept = request.headers?.['accept'] ?? ''
  if (!accept.includes('proto-openapi')) return json(200, openApiV2())
  return { type: 'text', code: 200, headers: { 'content-type': protobufType }, text: emptyDocument }
}

const openIdConfiguration = ({ address }: PathOptions): JsonObject => ({
  issuer,
  jwks_uri: `https://${address()}/openid/v1/jwks`,
  response_types_supported: ['id_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
})
