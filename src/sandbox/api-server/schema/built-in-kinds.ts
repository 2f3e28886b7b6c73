import { gunzipSync } from 'node:zlib'
import { kubernetes, definitions as packed } from './built-in-kinds-data.ts'
import { isObject, type JsonObject, type JsonValue } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

export interface BuiltInKind {
  group: string
  version: string
  kind: string
  /** The name of the kind's definition in the published OpenAPI, such as `io.k8s.api.core.v1.Pod`. */
  definition: string
}

/** The Kubernetes release of the schemas, such as `v1.37.2`. */
export const kubernetesVersion = (): string => kubernetes

/** A value that is created on first use. Unpacking takes tens of milliseconds, and few commands need it. */
function lazily<T extends object>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/**
 * The published schemas by name, such as `io.k8s.api.core.v1.Pod`. References have the form `#/components/schemas/...`.
 */
export const publishedDefinitions: () => Readonly<Record<string, JsonObject>> = lazily(
  () => JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as Record<string, JsonObject>,
)

/** Every kind with a schema, including lists and options. */
export const builtInKinds: () => readonly BuiltInKind[] = lazily(() =>
  Object.entries(publishedDefinitions()).flatMap(([definition, schema]) =>
    ((schema['x-kubernetes-group-version-kind'] ?? []) as unknown as Omit<BuiltInKind, 'definition'>[]).map((kind) => ({
      ...kind,
      definition,
    })),
  ),
)

/** The name of the definition in a reference. */
export const referenced = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

interface Link {
  node: Record<string, unknown>
  definition: string
}

function copyNode(value: JsonValue, links: Link[]): unknown {
  if (Array.isArray(value)) return value.map((entry) => copyNode(entry, links))
  if (!isObject(value)) return value
  const { $ref, allOf } = value
  const wrapped = Array.isArray(allOf) && allOf.length === 1 && isObject(allOf[0]) ? allOf[0].$ref : undefined
  // JSONSchemaProps has a property named `$ref`, so only a text is a reference.
  const reference = typeof $ref === 'string' ? $ref : wrapped
  const kept = { ...value }
  if (typeof reference === 'string') {
    delete kept.$ref
    delete kept.allOf
  }
  const node = Object.fromEntries(
    Object.entries(kept).map(([name, field]) => [name, copyNode(field as JsonValue, links)]),
  )
  if (typeof reference === 'string') links.push({ node, definition: referenced(reference) })
  return node
}

/**
 * Resolves all references: the node becomes the referenced schema, but keeps its own description and default. Parts are
 * shared, so a definition that contains itself becomes a cycle. The title is the name of the Go type.
 */
const linkedDefinitions: () => Readonly<Record<string, OpenApiSchema>> = lazily(() => {
  const links: Link[] = []
  const linked: Record<string, Record<string, unknown>> = {}
  for (const [name, definition] of Object.entries(publishedDefinitions()))
    linked[name] = { title: name.slice(name.lastIndexOf('.') + 1), ...(copyNode(definition, links) as object) }
  for (const { node, definition } of links) Object.assign(node, { ...linked[definition], ...node })
  return linked as Record<string, OpenApiSchema>
})

/** A definition by its published name, with resolved references. */
const linkedDefinition = (definition: string): OpenApiSchema | undefined => linkedDefinitions()[definition]

const definitionsByKind: () => ReadonlyMap<string, string> = lazily(
  () =>
    new Map(
      builtInKinds().map(({ group, version, kind, definition }) => [
        `${group === '' ? version : `${group}/${version}`} ${kind}`,
        definition,
      ]),
    ),
)

/** The published name of a built-in kind, such as `io.k8s.api.core.v1.Pod`; undefined for other kinds. */
export const definitionOf = (apiVersion: string, kind: string): string | undefined =>
  definitionsByKind().get(`${apiVersion} ${kind}`)

/**
 * The schema of a built-in kind with resolved references; undefined for other kinds. Each call returns the same object.
 */
export function builtInSchema(apiVersion: string, kind: string): OpenApiSchema | undefined {
  const definition = definitionOf(apiVersion, kind)
  return definition === undefined ? undefined : linkedDefinition(definition)
}

/** The schema of the field `metadata` of every object. */
export const objectMetaSchema = (): OpenApiSchema =>
  linkedDefinition('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta') as OpenApiSchema
