import { type ResourceCall, timestamp } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { type FieldWriter, trackUpdate } from '../patch/server-side-apply.ts'
import type { Resource } from '../registry/resource.ts'
import { builtInSchema } from '../schema/built-in-kinds.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'
import type { WriteOptions } from './options.ts'

/** The schema that decides which paths can have an owner; undefined for a kind without a schema. */
export const typeSchemaOf = ({ custom, apiVersion, kind }: Resource): OpenApiSchema | undefined =>
  custom?.schema.typeSchema ?? builtInSchema(apiVersion, kind)

/** The writer of a call, and the endpoint. The writer has the name of the field manager, or of the user agent. */
export function writerOf(call: ResourceCall, { fieldManager }: WriteOptions): FieldWriter {
  const { resource, subresource, request, context } = call
  const agent = (request.headers?.['user-agent'] ?? '').split('/')[0]!.slice(0, 128)
  return {
    manager: fieldManager || agent || 'unknown',
    apiVersion: resource.apiVersion,
    time: timestamp(context.clock.now()),
    resetFields: resetFields(call),
    ...(subresource ? { subresource: subresource.name } : {}),
  }
}

/** Fields that get no owner through this endpoint, because the endpoint does not write them. */
function resetFields({ resource, subresource }: ResourceCall): string[][] {
  const hasStatus = resource.subresources.some(({ name }) => name === 'status')
  if (!subresource) return hasStatus && resource.storage !== '/nodes' ? [['status']] : []
  if (subresource.name !== 'status') return []
  return resource.custom ? [['spec'], ['metadata']] : [['spec']]
}

/** The object with updated `metadata.managedFields`. */
export function withManagedFields(
  call: ResourceCall,
  live: KubeObject | undefined,
  updated: KubeObject,
  options: WriteOptions,
): KubeObject {
  const schema = typeSchemaOf(call.resource)
  if (call.context.managedFields && schema)
    return trackUpdate({ live, updated, schema, ...writerOf(call, options) }) as KubeObject
  const { managedFields: _, ...metadata } = updated.metadata
  return { ...updated, metadata }
}
