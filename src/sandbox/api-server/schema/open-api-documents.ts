import { definitionOf, publishedDefinitions, referenced } from './built-in-kinds.ts'
import { clone, isObject, type JsonObject, type JsonValue, listOf, objectOf, textOf } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

/** What a document needs to know of one resource of its group and version. */
export interface DocumentedResource {
  /** The plural. */
  resource: string
  kind: string
  namespaced: boolean
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`. */
  verbs: readonly string[]
  subresources?: readonly string[]
  /** For custom resources, the version's openAPIV3Schema; built-in kinds have theirs. */
  schema?: OpenApiSchema
}

/** The key of a group and version in the index of `/openapi/v3`: `api/v1`, `apis/apps/v1`. */
export const openApiPath = (group: string, version: string): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`

/** The body of `/openapi/v3`: where the document of each group and version is. `hash` is any text that changes with it. */
export function openApiIndex(entries: readonly { group: string; version: string; hash: string }[]): JsonObject {
  const paths = entries.map(({ group, version, hash }) => {
    const path = openApiPath(group, version)
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const
  })
  return { paths: Object.fromEntries(paths) }
}

const ref = (definition: string): JsonObject => ({ $ref: `#/components/schemas/${definition}` })
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.'

/** `crd.varmor.org` and `v1beta1` as definitions are named: `org.varmor.crd.v1beta1.VarmorPolicy`. */
const customName = (group: string, version: string, kind: string): string =>
  [...group.split('.').reverse(), version, kind].join('.')

/** apiVersion and kind, described as in the built-in kinds. */
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

/** The definitions with everything that they refer to. */
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

const query = (name: string, type: string, description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
})
const inPath = (name: string): JsonObject => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
})

const dryRun = query('dryRun', 'string', 'All: all stages are processed, nothing is stored.')
const fieldManager = query('fieldManager', 'string', 'The name of who writes, for the ownership of fields.')
const fieldValidation = query('fieldValidation', 'string', 'What to do with unknown fields: Ignore, Warn or Strict.')
const force = query('force', 'boolean', 'Takes fields from other owners. Only for apply.')
const writing = [dryRun, fieldManager, fieldValidation]

/** Verb, method, whether it addresses one object, action of `x-kubernetes-action`, and parameters. */
const operations = [
  [
    'list',
    'get',
    false,
    'list',
    [query('labelSelector', 'string', 'Labels.'), query('fieldSelector', 'string', 'Fields.')],
  ],
  ['create', 'post', false, 'post', writing],
  ['deletecollection', 'delete', false, 'deletecollection', [dryRun]],
  ['get', 'get', true, 'get', []],
  ['update', 'put', true, 'put', writing],
  ['patch', 'patch', true, 'patch', [...writing, force]],
  ['delete', 'delete', true, 'delete', [dryRun]],
] as const

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
  /** Custom resources take no strategic merge patch; kubectl looks here before it sends one. */
  custom: boolean
}

const json = (definition: string): JsonObject => ({ 'application/json': { schema: ref(definition) } })

function requestBody(method: string, { definition, custom }: Target): JsonObject {
  if (method === 'post' || method === 'put') return { requestBody: { content: json(definition), required: true } }
  if (method !== 'patch') return {}
  const types = custom ? patchTypes.filter((type) => !type.includes('strategic')) : patchTypes
  const content = Object.fromEntries(types.map((type) => [type, { schema: ref(`${META}Patch`) }]))
  return { requestBody: { content, required: true } }
}

function operation(entry: (typeof operations)[number], target: Target, path: string): JsonObject {
  const [verb, method, , action, parameters] = entry
  const answer = verb === 'list' ? target.list : target.definition
  return {
    operationId: `${verb}${path.replace(/[^A-Za-z0-9]+(.)?/g, (_, next: string | undefined) => (next ?? '').toUpperCase())}`,
    parameters: [...parameters],
    ...requestBody(method, target),
    responses: { 200: { description: 'OK', content: json(answer) }, 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': target.gvk,
  }
}

function pathItem(path: string, one: boolean, verbs: readonly string[], target: Target): JsonObject | undefined {
  const chosen = operations.filter(([verb, , single]) => single === one && verbs.includes(verb))
  if (chosen.length === 0) return undefined
  const parameters = (path.match(/\{(\w+)\}/g) ?? []).map((part) => inPath(part.slice(1, -1)))
  const item = Object.fromEntries(chosen.map((entry) => [entry[1], operation(entry, target, path)]))
  return { ...item, ...(parameters.length === 0 ? {} : { parameters }) }
}

/** All namespaces at once can only be listed. */
const everywhere = (path: string, verbs: readonly string[], target: Target): [string, JsonObject | undefined] => [
  path,
  pathItem(
    path,
    false,
    verbs.filter((verb) => verb === 'list'),
    target,
  ),
]

function pathsOf(base: string, described: DocumentedResource, target: Target): [string, JsonObject][] {
  const { resource, namespaced, verbs, subresources = [] } = described
  const collection = namespaced ? `${base}/namespaces/{namespace}/${resource}` : `${base}/${resource}`
  const one = `${collection}/{name}`
  const items: [string, JsonObject | undefined][] = [
    [collection, pathItem(collection, false, verbs, target)],
    [one, pathItem(one, true, verbs, target)],
    ...(namespaced ? [everywhere(`${base}/${resource}`, verbs, target)] : []),
    ...subresources
      .filter((name) => name === 'status')
      .map((name): [string, JsonObject | undefined] => [
        `${one}/${name}`,
        pathItem(`${one}/${name}`, true, ['get', 'update', 'patch'], target),
      ]),
  ]
  return items.filter((entry): entry is [string, JsonObject] => entry[1] !== undefined)
}

/**
 * The OpenAPI v3 document of a group and version. It has what clients look up: schemas with descriptions and merge keys
 * (`kubectl explain`, `kubectl apply`), and operations with their kind and parameters (`kubectl --validate`).
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
    components: { schemas: withOwnKinds(closure(own, wanted), group) },
  }
}

const KINDS = 'x-kubernetes-group-version-kind'

/** What every group serves is listed in a group's document as that group's and as the core's. */
function withOwnKinds(schemas: JsonObject, group: string): JsonObject {
  const name = `${META}DeleteOptions`
  const shared = objectOf(schemas[name])
  const kinds = listOf(shared[KINDS]).filter((kind) => ['', group].includes(textOf(objectOf(kind).group)))
  return { ...schemas, [name]: { ...shared, [KINDS]: kinds } }
}
