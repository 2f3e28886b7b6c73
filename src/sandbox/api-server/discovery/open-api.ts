import { createHash } from 'node:crypto'
import type { Registry } from '../registry/registry.ts'
import { kubernetesVersion, publishedDefinitions } from '../schema/built-in-kinds.ts'
import type { JsonObject } from '../schema/json.ts'
import { openApiDocument, openApiIndex, openApiPath } from '../schema/open-api-documents.ts'

/** The OpenAPI documents of what is registered now, each made when it is first asked for. */
export class OpenApi {
  private readonly registry: Registry
  private generation = -1
  private readonly documents = new Map<string, { text: string; hash: string }>()

  constructor(registry: Registry) {
    this.registry = registry
  }

  /** The body of `/openapi/v3`. */
  index(): JsonObject {
    const entries = this.groupVersions().map(({ group, version }) => ({
      group,
      version,
      hash: this.hash(group, version),
    }))
    return openApiIndex(entries)
  }

  /** The document at `/openapi/v3/PATH` as JSON text; undefined for a path that there is not. */
  document(path: string): { text: string; hash: string } | undefined {
    const found = this.groupVersions().find(({ group, version }) => openApiPath(group, version) === path)
    return found && this.made(found.group, found.version)
  }

  private groupVersions(): { group: string; version: string }[] {
    return ['', ...this.registry.groups()].flatMap((group) =>
      this.registry.versions(group).map((version) => ({ group, version })),
    )
  }

  /** Of what the document is made from: a client asks for the index often, and rarely for a document. */
  private hash(group: string, version: string): string {
    const resources = this.registry.resourcesOf(group, version)
    const source = resources.map(({ plural, verbs, custom }) => [plural, verbs, custom?.schema.schema ?? null])
    return createHash('sha512').update(JSON.stringify(source)).digest('hex').toUpperCase()
  }

  private made(group: string, version: string): { text: string; hash: string } {
    if (this.generation !== this.registry.generation) this.documents.clear()
    this.generation = this.registry.generation
    const key = openApiPath(group, version)
    const found = this.documents.get(key)
    if (found) return found
    const resources = this.registry.resourcesOf(group, version).map((resource) => ({
      resource: resource.plural,
      kind: resource.kind,
      namespaced: resource.namespaced,
      verbs: resource.verbs,
      subresources: resource.subresources.map(({ name }) => name),
      ...(resource.custom ? { schema: resource.custom.schema.schema } : {}),
    }))
    const document = {
      text: JSON.stringify(openApiDocument(group, version, resources)),
      hash: this.hash(group, version),
    }
    this.documents.set(key, document)
    return document
  }
}

/** The body of `/openapi/v2`: all built-in schemas in the older form. Clients of today read v3. */
export function openApiV2(): JsonObject {
  const text = JSON.stringify(publishedDefinitions()).replaceAll('#/components/schemas/', '#/definitions/')
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: kubernetesVersion() },
    paths: {},
    definitions: JSON.parse(text) as JsonObject,
  }
}
