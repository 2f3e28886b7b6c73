import { checkRules } from './check-rules.ts'
import { type FieldError, nearestName } from './field-error.ts'
import { nodeOf, type SchemaNode } from './schema/node.ts'
import { varmorClusterPolicy, varmorPolicy } from './schema/policy.ts'
import { fieldOf, isObject, validateSchema } from './validate-schema.ts'

export const policyKinds = ['VarmorPolicy', 'VarmorClusterPolicy'] as const

const schemas: Record<string, SchemaNode> = {
  VarmorPolicy: nodeOf(varmorPolicy),
  VarmorClusterPolicy: nodeOf(varmorClusterPolicy),
}

/** Returns the schema for the object's kind, or an error with the nearest kind. */
function schemaOf(object: unknown): { schema: SchemaNode } | { error: FieldError } {
  if (!isObject(object)) {
    const problem = 'this is not an object'
    return { error: { code: 'UNPARSABLE', path: '', problem, allowed: policyKinds.join(' or ') } }
  }
  const kind = fieldOf(object, 'kind')
  const name = typeof kind === 'string' ? (nearestName(kind, policyKinds) ?? kind) : 'VarmorPolicy'
  const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined
  if (schema !== undefined) return { schema }
  const problem = 'this kind is not a policy'
  return { error: { code: 'NOT_ALLOWED', path: 'kind', given: kind, problem, allowed: policyKinds.join(', ') } }
}

/**
 * Returns all errors of a VarmorPolicy or VarmorClusterPolicy. `object` may be any value. The compilers check later
 * that built-in rules exist and that raw rules can be compiled.
 */
export function validatePolicy(object: unknown): FieldError[] {
  return validate(undefined, object)
}

/**
 * Returns all errors of `after`, and of the change from `before` to `after`. `before` is the stored policy; its own
 * errors are not returned.
 */
export function validatePolicyUpdate(before: unknown, after: unknown): FieldError[] {
  return validate(before, after)
}

function validate(before: unknown, object: unknown): FieldError[] {
  const found = schemaOf(object)
  if ('error' in found) return [found.error]
  const errors = validateSchema(found.schema, object)
  return [...errors, ...checkRules(found.schema, object, errors, before)]
}
