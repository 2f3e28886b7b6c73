import { definitionOf, publishedDefinitions, referenced } from './built-in-kinds.ts'
import { clone, isObject, type JsonObject, type JsonValue, objectOf } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

/** The properties of a resource that the document of its group and version needs. */
export interface DocumentedResource {
  /** The plural name. */
  resource: string
  kind: string
  namespaced: boolean
  /** Verbs such as `get`, `list`, `watch` and `create`. */
  verbs: readonly string[]
  subresources?: readonly string[]
  /** For a custom resource, the version's openAPIV3Schema; built-in kinds have published schemas. */
  schema?: OpenApiSchema
}

/** The key of a group and version in the index of `/openapi/v3`, such as `api/v1` or `apis/apps/v1`. */
export const openApiPath = (group: string, version: string): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`

/**
 * The body of `/openapi/v3`: the location of the document of each group and version. `hash` is any text that changes
 * with the document.
 */
export function openApiIndex(entries: readonly { group: string; version: string; hash: string }[]): JsonObject {
  const paths = entries.map(({ group, version, hash }) => {
    const path = openApiPath(group, version)
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const
  })
  return { paths: Object.fromEntries(paths) }
}

const ref = (definition: string): JsonObject => ({ $ref: `#/components/schemas/${definition}` })
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.'

/** The name of a custom resource's definition, such as `org.varmor.crd.v1beta1.VarmorPolicy`. */
const customName = (group: string, version: string, kind: string): string =>
  [...group.split('.').reverse(), version, kind].join('.')

/** The fields apiVersion and kind, described as in the built-in kinds. */
function typeFields(): JsonObject {
  const { apiVersion = null, kind = null } = objectOf(
    publishedDefinitions()['io.k8s.api.core.v1.ConfigMap']?.properties,
  )
  return { apiVersion, kind }
}

function customDefinition(schema: OpenApiSchema, gvk: JsonObject): JsonObject {
  const copy = clone(schema as unknown as JsonObject)
  const metadata = {
    allOf: [ref(`${META}ObjectMeta`)],
    description:
      "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  }
  const properties = isObject(copy.properties) ? copy.properties : {}
  return {
    ...copy,
    properties: { ...properties, ...typeFields(), metadata },
    'x-kubernetes-group-version-kind': [gvk],
  }
}

function listDefinition(definition: string, kind: string, gvk: JsonObject): JsonObject {
  return {
    description: `${kind}List is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeFields(),
      items: { description: `List of ${kind}.`, type: 'array', items: ref(definition) },
      metadata: { allOf: [ref(`${META}ListMeta`)] },
    },
    'x-kubernetes-group-version-kind': [{ ...gvk, kind: `${kind}List` }],
  }
}

/** The names of all definitions that a value refers to. */
function references(value: JsonValue | undefined, into: Set<string>): Set<string> {
  if (Array.isArray(value)) for (const item of value) references(item, into)
  else if (isObject(value)) {
    if (typeof value.$ref === 'string') into.add(referenced(value.$ref))
    for (const field of Object.values(value)) references(field, into)
  }
  return into
}

/** The given definitions, and all definitions to which they refer. */
function closure(own: JsonObject, wanted: Iterable<string>): JsonObject {
  const schemas: JsonObject = { ...own }
  const queue = [...wanted, ...references(own, new Set())]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (schemas[next] !== undefined) continue
    const definition = publishedDefinitions()[next]
    if (definition === undefined) continue
    schemas[next] = definition
    queue.push(...references(definition, new Set()))
  }
  return schemas
}

const parameter = (name: string, place: 'query' | 'path'): JsonObject => ({
  name,
  in: place,
  ...(place === 'path' ? { required: true } : {}),
  schema: { type: 'string', uniqueItems: true },
})
const writing = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => parameter(name, 'query'))

const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]

interface Target {
  definition: string
  list: string
  gvk: JsonObject
  /**
   * Whether this is a custom resource, which accepts no strategic merge patch. kubectl reads this before it sends such
   * a patch.
   */
  custom: boolean
}

const content = (definition: string, types = ['application/json']): JsonObject => ({
  content: Object.fromEntries(types.map((type) => [type, { schema: ref(definition) }])),
})

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

function operation(verb: string, method: Method, answer: string, { definition, custom, gvk }: Target): JsonObject {
  const types = patchTypes.filter((type) => !custom || !type.includes('strategic'))
  const body = method === 'patch' ? content(`${META}Patch`, types) : content(definition)
  return {
    ...(method === 'get' ? {} : { parameters: [...writing] }),
    ...(method === 'get' || method === 'delete' ? {} : { requestBody: { ...body, required: true } }),
    responses: { 200: { description: 'OK', ...content(answer) } },
    'x-kubernetes-action': verb === 'list' ? verb : method,
    'x-kubernetes-group-version-kind': gvk,
  }
}

const onCollection: readonly [verb: string, method: Method][] = [
  ['list', 'get'],
  ['create', 'post'],
]
const onObject: readonly [verb: string, method: Method][] = [
  ['get', 'get'],
  ['update', 'put'],
  ['patch', 'patch'],
  ['delete', 'delete'],
]

function pathItem(path: string, verbs: readonly string[], target: Target): [string, JsonObject][] {
  const operations = (path.includes('{name}') ? onObject : onCollection)
    .filter(([verb]) => verbs.includes(verb))
    .map(([verb, method]): [string, JsonObject] => {
      const answer = verb === 'list' ? target.list : target.definition
      return [method, operation(verb, method, answer, target)]
    })
  if (operations.length === 0) return []
  const parameters = (path.match(/\{(\w+)\}/g) ?? []).map((part) => parameter(part.slice(1, -1), 'path'))
  return [[path, { ...Object.fromEntries(operations), parameters }]]
}

function pathsOf(base: string, described: DocumentedResource, target: Target): [string, JsonObject][] {
  const { resource, namespaced, verbs, subresources = [] } = described
  const collection = namespaced ? `${base}/namespaces/{namespace}/${resource}` : `${base}/${resource}`
  // The only operation on all namespaces at once is a list.
  const everywhere = verbs.filter((verb) => verb === 'list')
  return [
    ...pathItem(collection, verbs, target),
    ...pathItem(`${collection}/{name}`, verbs, target),
    ...(namespaced ? pathItem(`${base}/${resource}`, everywhere, target) : []),
    ...(subresources.includes('status')
      ? pathItem(`${collection}/{name}/status`, ['get', 'update', 'patch'], target)
      : []),
  ]
}

/**
 * The OpenAPI v3 document of a group and version, as far as clients need it: schemas with descriptions and merge keys
 * (`kubectl explain`, `kubectl apply`), and operations with kind and parameters (`kubectl --validate`).
 */
export function openApiDocument(group: string, version: string, resources: readonly DocumentedResource[]): JsonObject {
  const apiVersion = group === '' ? version : `${group}/${version}`
  const own: JsonObject = {}
  const wanted = new Set([`${META}Patch`, `${META}Status`, `${META}DeleteOptions`])
  const paths: [string, JsonObject][] = []
  for (const described of resources) {
    const { kind, schema } = described
    const gvk = { group, version, kind }
    const definition =
      (schema === undefined ? definitionOf(apiVersion, kind) : undefined) ?? customName(group, version, kind)
    const list = `${definition}List`
    if (schema !== undefined) own[definition] = customDefinition(schema, gvk)
    if (schema !== undefined) own[list] = listDefinition(definition, kind, gvk)
    wanted.add(definition).add(list)
    paths.push(
      ...pathsOf(`/${openApiPath(group, version)}`, described, { definition, list, gvk, custom: schema !== undefined }),
    )
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: Object.fromEntries(paths),
    components: { schemas: closure(own, wanted) },
  }
}
