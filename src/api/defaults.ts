import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { varmorClusterPolicy, varmorPolicy } from './schema/policy.ts'
import type { VarmorClusterPolicy, VarmorPolicy } from './types.ts'

const schemas: Record<VarmorPolicy['kind'] | VarmorClusterPolicy['kind'], TSchema> = {
  VarmorPolicy: varmorPolicy,
  VarmorClusterPolicy: varmorClusterPolicy,
}

/**
 * A copy of a valid policy in which every field with a default is filled in, as an API server does it: only in objects
 * that are there. A VarmorPolicy without a namespace gets `default`.
 */
export function withDefaults<T extends VarmorPolicy | VarmorClusterPolicy>(policy: T): T {
  const copy = Value.Default(schemas[policy.kind], Value.Clone(policy)) as T
  if (copy.kind === 'VarmorPolicy') copy.metadata.namespace ??= 'default'
  return copy
}
