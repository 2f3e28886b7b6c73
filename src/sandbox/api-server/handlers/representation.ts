import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import type { JsonObject } from '../schema/json.ts'
import { ApiStatusError, notAcceptable } from '../status.ts'
import { builtInLayout } from '../table/layouts.ts'
import { type IncludeObject, type TableLayout, toTable } from '../table/table.ts'

/** In what form objects go out: as they are, as a Table for people, or only their metadata. */
export interface Representation {
  readonly form: 'object' | 'table' | 'metadata'
  readonly includeObject: IncludeObject
  /** The version of meta.k8s.io. */
  readonly version: string
}

const served = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const forms: Record<string, Representation['form']> = {
  Table: 'table',
  PartialObjectMetadata: 'metadata',
  PartialObjectMetadataList: 'metadata',
}

/**
 * The first form of the Accept header that the server can give.
 * @throws {ApiStatusError} 406
 */
export function representationOf(accept: string | undefined, query: URLSearchParams): Representation {
  const includeObject = (query.get('includeObject') || 'Metadata') as IncludeObject
  for (const range of (accept || '*/*').split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    if (!['application/json', 'application/yaml', '*/*', 'application/*', '*'].includes(type.toLowerCase())) continue
    const found = new Map(parameters.map((parameter) => parameter.split('=') as [string, string]))
    const as = found.get('as')
    if (as === undefined) return { form: 'object', includeObject, version: 'v1' }
    const form = forms[as]
    if (form && found.get('g') === 'meta.k8s.io' && ['v1', 'v1beta1'].includes(found.get('v') ?? ''))
      return { form, includeObject, version: found.get('v')! }
  }
  const { status } = notAcceptable(served)
  const list = [...served, 'application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch']
  throw new ApiStatusError({
    ...status,
    message: `406: Not Acceptable\n\nAvailable representations: ${list.join(', ')}`,
    details: {},
  })
}

export const layoutOf = (resource: Resource): TableLayout =>
  resource.custom?.layout ?? builtInLayout(resource.apiVersion, resource.kind)

/** A stored object as an answer of its own. */
export function represent(call: ResourceCall, representation: Representation, object: KubeObject): JsonObject {
  switch (representation.form) {
    case 'object':
      return object
    case 'metadata':
      return partialMetadata(object, representation.version)
    case 'table':
      return tableOf(call, representation, [object], { resourceVersion: object.metadata.resourceVersion ?? '' })
  }
}

export const partialMetadata = (object: KubeObject, version: string): JsonObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
})

export function tableOf(
  call: ResourceCall,
  { includeObject, version }: Representation,
  objects: readonly KubeObject[],
  metadata: JsonObject,
): JsonObject {
  const now = call.context.clock.now()
  return toTable(layoutOf(call.resource), objects, {
    now,
    includeObject,
    metadata,
    apiVersion: `meta.k8s.io/${version}`,
  })
}

/** A list as an answer. Items of built-in kinds carry no kind of their own, as in the real server. */
export function representList(
  call: ResourceCall,
  representation: Representation,
  stored: readonly KubeObject[],
  metadata: JsonObject,
): JsonObject {
  const { resource } = call
  const objects = stored.map((object) => fromStorage(resource, object))
  if (representation.form === 'table') return tableOf(call, representation, objects, metadata)
  if (representation.form === 'metadata')
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${representation.version}`,
      metadata,
      items: objects.map((object) => partialMetadata(object, representation.version)),
    }
  return {
    kind: resource.listKind,
    apiVersion: resource.apiVersion,
    metadata,
    items: resource.custom ? objects : objects.map(withoutType),
  }
}

function withoutType({ apiVersion: _, kind: __, ...rest }: KubeObject): JsonObject {
  return rest
}
