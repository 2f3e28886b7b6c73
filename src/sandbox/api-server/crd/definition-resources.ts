import type { KubeObject } from '../kube-object.ts'
import { allVerbs, apiVersionOf, type Resource, type SubresourceSpec } from '../registry/resource.ts'
import { type CustomResourceSchema, compileCustomResource } from '../schema/custom-resource.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import { customResourceLayout, type PrinterColumn } from '../table/custom-resource-layout.ts'

const texts = (value: unknown): string[] => listOf(value).map(textOf)

/** The resources that an accepted CustomResourceDefinition serves, one a version. */
export function definitionResources(definition: KubeObject): Resource[] {
  const versions = listOf(objectOf(definition['spec'])['versions']).map(objectOf)
  const storage = textOf(versions.find((version) => version['storage'] === true)?.['name'])
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => resourceOf(definition, version, storage))
}

function resourceOf(definition: KubeObject, version: JsonObject, storageVersion: string): Resource {
  const spec = objectOf(definition['spec'])
  const names = objectOf(objectOf(definition['status'])['acceptedNames'])
  const group = textOf(spec['group'])
  const name = textOf(version['name'])
  const plural = textOf(names['plural'])
  const kind = textOf(names['kind'])
  const subresources = objectOf(version['subresources'])
  return {
    group,
    version: name,
    apiVersion: apiVersionOf(group, name),
    kind,
    listKind: textOf(names['listKind']) || `${kind}List`,
    plural,
    singular: textOf(names['singular']),
    namespaced: spec['scope'] === 'Namespaced',
    shortNames: texts(names['shortNames']),
    categories: texts(names['categories']),
    verbs: allVerbs,
    subresources: subresourcesOf(subresources, kind),
    storage: `${group}/${plural}`,
    names: 'subdomain',
    custom: {
      definitionUid: definition.metadata.uid ?? '',
      schema: compiled(version, spec),
      layout: customResourceLayout(version['additionalPrinterColumns'] as PrinterColumn[] | undefined),
      storageVersion,
      selectableFields: listOf(version['selectableFields']).map((field) => textOf(objectOf(field)['jsonPath'])),
      status: subresources['status'] !== undefined,
      scale: scaleOf(subresources),
      deprecationWarning: deprecation(version, group, kind),
    },
  }
}

function compiled(version: JsonObject, spec: JsonObject): CustomResourceSchema {
  const schema = objectOf(objectOf(version['schema'])['openAPIV3Schema']) as OpenApiSchema
  return compileCustomResource(schema, spec['preserveUnknownFields'] === true)
}

function subresourcesOf(subresources: JsonObject, kind: string): SubresourceSpec[] {
  const verbs = ['get', 'patch', 'update'] as const
  return [
    ...(subresources['status'] === undefined ? [] : [{ name: 'status', kind, verbs }]),
    ...(subresources['scale'] === undefined
      ? []
      : [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs }]),
  ]
}

function scaleOf(subresources: JsonObject): NonNullable<Resource['custom']>['scale'] {
  if (subresources['scale'] === undefined) return undefined
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = objectOf(subresources['scale'])
  return {
    specReplicasPath: textOf(specReplicasPath),
    statusReplicasPath: textOf(statusReplicasPath),
    ...(labelSelectorPath === undefined ? {} : { labelSelectorPath: textOf(labelSelectorPath) }),
  }
}

function deprecation(version: JsonObject, group: string, kind: string): string | undefined {
  if (version['deprecated'] !== true) return undefined
  return textOf(version['deprecationWarning']) || `${group}/${textOf(version['name'])} ${kind} is deprecated`
}
