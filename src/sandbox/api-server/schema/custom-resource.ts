import { child, type FieldIssue, type FieldIssueType, invalidValue } from '../field-issue.ts'
import { objectMetaSchema } from './built-in-kinds.ts'
import { compileRules, evaluateRules } from './cel/rules.ts'
import { applySchemaDefaults } from './defaulting.ts'
import { clone, type JsonObject } from './json.ts'
import { validateListTypes } from './list-types.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import { prune } from './pruning.ts'
import { validateValue } from './value-validation.ts'

/** One version of a CRD, ready to handle objects. Create it once for each version. */
export interface CustomResourceSchema {
  /** The schema as in the CRD. */
  readonly schema: OpenApiSchema
  /** The schema with apiVersion, kind and ObjectMeta, for server-side apply and for OpenAPI. */
  readonly typeSchema: OpenApiSchema
  /** A copy without unknown fields, and the unknown fields as `unknown field "spec.foo"`, for `strictDecodingError`. */
  prune(object: JsonObject): { object: JsonObject; problems: string[] }
  /** A copy with the schema's defaults. */
  applyDefaults(object: JsonObject): JsonObject
  /**
   * The errors that the server would report for schema, list types and CEL. `old` is the stored object, for transition
   * rules. As in the server, errors of unchanged parts are tolerated ("ratcheting"). `validateObjectMeta` validates
   * metadata.
   */
  validate(object: JsonObject, old?: JsonObject): FieldIssue[]
  /**
   * The errors of a write to the status: only the status is checked against the schema, but all rules of the CRD apply.
   */
  validateStatus(object: JsonObject, old: JsonObject): FieldIssue[]
}

/** Adds the fields that every object has. A CRD omits these fields, or names only a part of them. */
export const withObjectMeta = (schema: OpenApiSchema): OpenApiSchema => ({
  ...schema,
  properties: {
    ...schema.properties,
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: objectMetaSchema(),
  },
})

const blocking: ReadonlySet<FieldIssueType> = new Set<FieldIssueType>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

const unchecked = invalidValue(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
)

/**
 * @param preserveUnknownFields the CRD's `spec.preserveUnknownFields`: if true, unknown fields are kept
 * @throws {Error} for a schema that `validateCustomResourceDefinition` refuses
 */
export function compileCustomResource(schema: OpenApiSchema, preserveUnknownFields = false): CustomResourceSchema {
  const rules = compileRules(schema)
  return {
    schema,
    typeSchema: withObjectMeta(schema),
    prune(object) {
      if (preserveUnknownFields) return { object: clone(object), problems: [] }
      const { object: kept, unknown } = prune(object, schema)
      return { object: kept, problems: unknown.map((path) => `unknown field "${path}"`) }
    },
    applyDefaults: (object) => applySchemaDefaults(object, schema),
    validate: (object, old) => completed(validateValue(schema, object, '', old), object, old),
    validateStatus: (object, old) => completed(statusIssues(schema, object, old), object, old),
  }

  function completed(values: FieldIssue[], object: JsonObject, old: JsonObject | undefined): FieldIssue[] {
    const issues = [...values, ...newListIssues(schema, object, old)]
    if (rules === undefined) return issues
    if (issues.some(({ type }) => blocking.has(type))) return [...issues, unchecked]
    return [...issues, ...evaluateRules(rules, object, old)]
  }
}

/**
 * The errors of the status. As in the server, a field's path starts at the object, but positions in texts start at the
 * status.
 */
function statusIssues(schema: OpenApiSchema, object: JsonObject, old: JsonObject): FieldIssue[] {
  const part = schema.properties?.['status']
  if (part === undefined || object['status'] === undefined) return []
  return validateValue(part, object['status'], '', old['status']).map((issue) => ({
    ...issue,
    field: issue.field === '<nil>' ? 'status' : child('status', issue.field),
  }))
}

/** The errors of lists. Errors that the old object also has are left out, because they must not block writes. */
function newListIssues(schema: OpenApiSchema, object: JsonObject, old: JsonObject | undefined): FieldIssue[] {
  const issues = validateListTypes(schema, object)
  if (issues.length === 0 || old === undefined || validateListTypes(schema, old).length === 0) return issues
  return []
}
