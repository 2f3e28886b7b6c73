import { createHash } from 'node:crypto'
import type { Call } from '../context.ts'
import type { PathHandler } from '../handlers/handle-request.ts'
import { type ApiResponse, json, text } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'
import { methodNotAllowed } from '../status.ts'
import { versionInfo } from '../version-info.ts'
import { aggregatedDiscovery, coreVersions, groupDocument, groupList, resourceList } from './discovery-documents.ts'
import type { OpenApi } from './open-api.ts'

/**
 * Answers the paths that are no resources.
 * @param address host and port, as the discovery of old clients has it
 */
export function pathHandler(openApi: OpenApi, address: () => string): PathHandler {
  return (call) => {
    const [first = '', ...rest] = call.info.path.split('/').filter(Boolean)
    const answer = answerOf(call, first, rest, openApi, address)
    if (answer && !['GET', 'HEAD'].includes(call.request.method)) throw methodNotAllowed()
    return answer
  }
}

function answerOf(
  call: Call,
  first: string,
  rest: string[],
  openApi: OpenApi,
  address: () => string,
): ApiResponse | undefined {
  switch (first) {
    case 'api':
      return rest.length === 0 ? whole(call, coreVersions(address()), true) : discovery(call, '', rest)
    case 'apis':
      return rest.length === 0
        ? whole(call, groupList(call.context.registry), false)
        : discovery(call, rest[0]!, rest.slice(1))
    case 'version':
      // Indented, as its reader is often a person.
      return {
        ...text(200, JSON.stringify(versionInfo(), undefined, 2)),
        headers: { 'content-type': 'application/json' },
      }
    case 'healthz':
    case 'livez':
    case 'readyz':
      return text(200, 'ok')
    case 'openapi':
      return rest[0] === 'v3' ? openApiAnswer(call, rest.slice(1), openApi) : olderOpenApi()
    default:
      return undefined
  }
}

const optional = (document: JsonObject | undefined): ApiResponse | undefined => document && json(200, document)

function discovery({ context }: Call, group: string, [version, ...more]: string[]): ApiResponse | undefined {
  if (more.length > 0) return undefined
  if (version === undefined) return optional(groupDocument(context.registry, group))
  return optional(resourceList(context.registry, group, version))
}

/** How a client asks for all of discovery at once: it names the version that it likes best first. */
const aggregated = /application\/json;.*\bg=apidiscovery\.k8s\.io.*\bv=v2(?!beta)/

function whole(call: Call, older: JsonObject, core: boolean): ApiResponse {
  if (!aggregated.test(call.request.headers?.['accept'] ?? '')) return json(200, older, { vary: 'Accept' })
  const document = aggregatedDiscovery(call.context.registry, core)
  const etag = `"${createHash('sha512').update(JSON.stringify(document)).digest('hex').toUpperCase()}"`
  if (isKnown(call, etag)) return notModified(etag)
  const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  return json(200, document, { 'content-type': type, vary: 'Accept', etag })
}

const isKnown = ({ request }: Call, etag: string): boolean => request.headers?.['if-none-match'] === etag
const notModified = (etag: string): ApiResponse => ({ type: 'text', code: 304, headers: { etag }, text: '' })

function openApiAnswer(call: Call, path: string[], openApi: OpenApi): ApiResponse | undefined {
  if (path.length === 0) return json(200, openApi.index())
  const document = openApi.document(path.join('/'))
  if (!document) return undefined
  const etag = `"${document.hash}"`
  if (isKnown(call, etag)) return notModified(etag)
  // A link with the right hash may be kept for good.
  const isFixed = call.query.get('hash') === document.hash
  const caching = isFixed ? { 'cache-control': 'public, immutable', vary: 'Accept' } : {}
  return { ...text(200, document.text), headers: { 'content-type': 'application/json', etag, ...caching } }
}

/**
 * Clients fall back to the older form for kinds that no newer document has, and want it in protobuf. This is a document
 * without definitions, which says the same: that there is no such kind. Every byte of it is ASCII.
 */
function olderOpenApi(): ApiResponse {
  const type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
  return { ...text(200, '\n\x032.0\x12\x13\n\nKubernetes\x12\x05v1.37B\0'), headers: { 'content-type': type } }
}
