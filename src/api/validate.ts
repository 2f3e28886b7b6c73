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

/** Which policy an object means to be: the kind that it names, or the nearest one. */
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
 * Everything that is wrong with a VarmorPolicy or VarmorClusterPolicy; nothing when it may be stored and compiled. `object` may be
 * anything. Whether built-in rules exist and raw rules can be compiled is for the compilers to say.
 */
export function validatePolicy(object: unknown): FieldError[] {
  return validate(undefined, object)
}

/** Everything that is wrong with `after`, and with changing `before` to it. `before` is what is stored, and not judged again. */
export function validatePolicyUpdate(before: unknown, after: unknown): FieldError[] {
  return validate(before, after)
}

function validate(before: unknown, object: unknown): FieldError[] {
  const found = schemaOf(object)
  if ('error' in found) return [found.error]
  const errors = validateSchema(found.schema, object)
  return [...errors, ...checkRules(found.schema, object, errors, before)]
}
