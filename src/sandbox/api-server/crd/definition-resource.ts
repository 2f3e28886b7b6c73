import type { KubeObject } from '../kube-object.ts'
import { apiVersionOf, type Resource, type SubresourceSpec } from '../registry/resource.ts'
import { compileCustomResource } from '../schema/custom-resource.ts'
import { listOf, objectOf, textOf } from '../schema/json.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import { customResourceLayout, type PrinterColumn } from '../table/custom-resource-layout.ts'

const texts = (value: unknown): string[] => listOf(value).map(textOf)

/** The resource of an accepted CustomResourceDefinition, in its storage version. */
export function definitionResource(definition: KubeObject): Resource {
  const spec = objectOf(definition['spec'])
  const versions = listOf(spec['versions']).map(objectOf)
  const version = versions.find(({ storage }) => storage === true)!
  const names = objectOf(spec['names'])
  const [group, name, plural, kind] = [spec['group'], version['name'], names['plural'], names['kind']].map(textOf) as [
    string,
    string,
    string,
    string,
  ]
  const status = objectOf(version['subresources'])['status'] !== undefined
  const statusSpec: SubresourceSpec = { name: 'status', kind, verbs: ['get', 'patch', 'update'] }
  const schema = objectOf(objectOf(version['schema'])['openAPIV3Schema']) as OpenApiSchema
  return {
    ...{ group, version: name, apiVersion: apiVersionOf(group, name), kind, plural },
    listKind: textOf(names['listKind']) || `${kind}List`,
    singular: textOf(names['singular']),
    namespaced: spec['scope'] === 'Namespaced',
    shortNames: texts(names['shortNames']),
    categories: texts(names['categories']),
    // The order is that of the real server.
    verbs: ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'],
    subresources: status ? [statusSpec] : [],
    storage: `${group}/${plural}`,
    names: 'subdomain',
    custom: {
      definitionUid: definition.metadata.uid ?? '',
      schema: compileCustomResource(schema, spec['preserveUnknownFields'] === true),
      layout: customResourceLayout(version['additionalPrinterColumns'] as PrinterColumn[] | undefined),
      status,
    },
  }
}
