import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { varmorClusterPolicy, varmorPolicy } from './schema/policy.ts'
import type { VarmorClusterPolicy, VarmorPolicy } from './types.ts'

const schemas: Record<VarmorPolicy['kind'] | VarmorClusterPolicy['kind'], TSchema> = {
  VarmorPolicy: varmorPolicy,
  VarmorClusterPolicy: varmorClusterPolicy,
}

/**
 * Returns a copy of a valid policy with defaults filled in. As in the API server, a missing object stays missing: only
 * fields of existing objects get defaults. A VarmorPolicy without a namespace gets the namespace `default`.
 */
export function withDefaults<T extends VarmorPolicy | VarmorClusterPolicy>(policy: T): T {
  const copy = Value.Default(schemas[policy.kind], Value.Clone(policy)) as T
  if (copy.kind === 'VarmorPolicy') copy.metadata.namespace ??= 'default'
  return copy
}
