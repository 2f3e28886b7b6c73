import { createHash } from 'node:crypto'
import type { Registry } from '../registry/registry.ts'
import type { JsonObject } from '../schema/json.ts'
import { openApiDocument, openApiIndex, openApiPath } from '../schema/open-api-documents.ts'

/** The OpenAPI documents of the registered resources. A document is created when a client first requests it. */
export class OpenApi {
  private readonly registry: Registry
  private generation = -1
  private readonly documents = new Map<string, string>()

  constructor(registry: Registry) {
    this.registry = registry
  }

  /** The body of `/openapi/v3`. */
  index(): JsonObject {
    return openApiIndex(this.groupVersions().map((one) => ({ ...one, hash: this.hash(one.group, one.version) })))
  }

  /** The document at `/openapi/v3/PATH` as JSON text; undefined for an unknown path. */
  document(path: string): string | undefined {
    const { registry, documents } = this
    const served = this.groupVersions().find(({ group, version }) => openApiPath(group, version) === path)
    if (!served) return undefined
    if (this.generation !== registry.generation) documents.clear()
    this.generation = registry.generation
    const { group, version } = served
    const resources = registry.resourcesOf(group, version).map(({ plural, kind, namespaced, verbs, ...resource }) => ({
      ...{ resource: plural, kind, namespaced, verbs },
      subresources: resource.subresources.map(({ name }) => name),
      ...(resource.custom ? { schema: resource.custom.schema.schema } : {}),
    }))
    const found = documents.get(path) ?? JSON.stringify(openApiDocument(group, version, resources))
    documents.set(path, found)
    return found
  }

  private groupVersions(): { group: string; version: string }[] {
    return ['', ...this.registry.groups()].flatMap((group) =>
      this.registry.versions(group).map((version) => ({ group, version })),
    )
  }

  /**
   * A hash of the inputs of a document. Clients often request the index, but rarely a document. So the index has this
   * hash, and no document is created for it.
   */
  private hash(group: string, version: string): string {
    const resources = this.registry.resourcesOf(group, version)
    const source = resources.map(({ plural, verbs, custom }) => [plural, verbs, custom?.schema.schema ?? null])
    return createHash('sha512').update(JSON.stringify(source)).digest('hex').toUpperCase()
  }
}
