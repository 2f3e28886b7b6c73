import { type ResourceCall, timestamp } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { trackUpdate } from '../patch/server-side-apply.ts'
import type { Resource } from '../registry/resource.ts'
import { builtInSchema } from '../schema/built-in-kinds.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import type { WriteOptions } from './options.ts'

/** The schema by which fields are owned; undefined for a kind that has none. */
export const typeSchemaOf = (resource: Resource): OpenApiSchema | undefined =>
  resource.custom?.schema.typeSchema ?? builtInSchema(resource.apiVersion, resource.kind)

/** Who writes: the field manager, or what the user agent calls itself. */
export function managerOf(call: ResourceCall, options: WriteOptions): string {
  if (options.fieldManager !== '') return options.fieldManager
  const agent = call.request.headers?.['user-agent'] ?? ''
  const name = agent.split('/')[0]!.slice(0, 128)
  return name === '' ? 'unknown' : name
}

/** Fields that nobody owns through an endpoint, because it does not write them. */
export function resetFields({ resource, subresource }: ResourceCall): string[][] {
  const hasStatus = resource.subresources.some(({ name }) => name === 'status')
  if (!subresource) return hasStatus && resource.storage !== '/nodes' ? [['status']] : []
  if (subresource.name !== 'status') return []
  return resource.custom ? [['spec'], ['metadata']] : [['spec']]
}

/** The object with `metadata.managedFields` that say who wrote what. */
export function withManagedFields(
  call: ResourceCall,
  live: KubeObject | undefined,
  updated: KubeObject,
  options: WriteOptions,
): KubeObject {
  const schema = typeSchemaOf(call.resource)
  if (!call.context.managedFields || !schema) return withoutManagedFields(updated)
  const subresource = call.subresource?.name
  return trackUpdate({
    live,
    updated,
    schema,
    manager: managerOf(call, options),
    apiVersion: call.resource.apiVersion,
    time: timestamp(call.context.clock.now()),
    resetFields: resetFields(call),
    ...(subresource === undefined ? {} : { subresource }),
  }) as KubeObject
}

function withoutManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
