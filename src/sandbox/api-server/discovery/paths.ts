import type { Call } from '../context.ts'
import type { PathHandler } from '../handlers/handle-request.ts'
import { type ApiResponse, json, text } from '../request.ts'
import type { JsonObject } from '../schema/json.ts'
import { versionInfo } from '../version-info.ts'
import { aggregatedDiscovery, coreVersions, groupDocument, groupList, resourceList } from './discovery-documents.ts'
import type { OpenApi } from './open-api.ts'

/** Answers paths that are not resources. */
export function pathHandler(openApi: OpenApi): PathHandler {
  return (call) => {
    const [first = '', ...rest] = call.info.path.split('/').filter(Boolean)
    switch (first) {
      case 'api':
        return rest.length === 0 ? whole(call, coreVersions, true) : discovery(call, '', rest)
      case 'apis':
        if (rest.length === 0) return whole(call, groupList(call.context.registry), false)
        return discovery(call, rest[0]!, rest.slice(1))
      case 'version':
        // Indent the text, because users often read it.
        return asJson(JSON.stringify(versionInfo(), undefined, 2))
      case 'healthz':
      case 'livez':
      case 'readyz':
        return text(200, 'ok')
      case 'openapi':
        return rest[0] === 'v3' ? openApiAnswer(openApi, rest.slice(1).join('/')) : olderOpenApi()
      default:
        return undefined
    }
  }
}

const asJson = (content: string): ApiResponse => ({
  ...text(200, content),
  headers: { 'content-type': 'application/json' },
})

function discovery({ context }: Call, group: string, [version, ...more]: string[]): ApiResponse | undefined {
  if (more.length > 0) return undefined
  const { registry } = context
  const found = version === undefined ? groupDocument(registry, group) : resourceList(registry, group, version)
  return found && json(200, found)
}

/** Matches an Accept header with the version of aggregated discovery that the server has. */
const aggregated = /application\/json;.*\bg=apidiscovery\.k8s\.io.*\bv=v2(?!beta)/

function whole(call: Call, older: JsonObject, core: boolean): ApiResponse {
  if (!aggregated.test(call.request.headers?.['accept'] ?? '')) return json(200, older)
  const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  return json(200, aggregatedDiscovery(call.context.registry, core), { 'content-type': type })
}

function openApiAnswer(openApi: OpenApi, path: string): ApiResponse | undefined {
  if (path === '') return json(200, openApi.index())
  const document = openApi.document(path)
  return document === undefined ? undefined : asJson(document)
}

/**
 * For a kind that is missing in the newer documents, clients request the older document, in protobuf. It has no
 * definitions, so clients see that the kind does not exist. It is pure ASCII.
 */
function olderOpenApi(): ApiResponse {
  const type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
  return { ...text(200, '\n\x032.0\x12\x13\n\nKubernetes\x12\x05v1.37B\0'), headers: { 'content-type': type } }
}
