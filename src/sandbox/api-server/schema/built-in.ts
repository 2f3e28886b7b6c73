import type { FieldIssue } from '../field-issue.ts'
import { badRequest } from '../status.ts'
import { ownDefaults } from './built-in-defaults.ts'
import { builtInSchema } from './built-in-kinds.ts'
import { builtInRules } from './built-in-rules.ts'
import { validateCustomResourceDefinition } from './custom-resource-definition.ts'
import { applySchemaDefaults } from './defaulting.ts'
import type { JsonObject } from './json.ts'
import { keepKnown } from './known-fields.ts'
import { plainFinalizerIssues } from './metadata.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import { schemaIssues, typeProblem } from './published-schema.ts'

/** @throws {Error} for a kind without a schema: nothing here can handle its objects. */
function schemaOf(apiVersion: string, kind: string): OpenApiSchema {
  const schema = builtInSchema(apiVersion, kind)
  if (schema === undefined) throw new Error(`no built-in kind ${kind} in ${apiVersion}`)
  return schema
}

/**
 * A body as an object of a built-in kind, without the fields that the kind does not have, and without nulls and empty lists.
 * `problems` are the unknown fields (`unknown field "spec.foo"`), for `fieldValidation`.
 * @throws {ApiStatusError} 400 for a field of the wrong type
 */
export function decodeBuiltIn(
  apiVersion: string,
  kind: string,
  body: JsonObject,
): { object: JsonObject; problems: string[] } {
  const problems: string[] = []
  const object = keepKnown(body, schemaOf(apiVersion, kind), '', problems) as JsonObject
  const problem = typeProblem(apiVersion, kind, object)
  if (problem === undefined) return { object, problems }
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1)
  throw badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${problem}`)
}

/** A copy with the defaults that the server writes. Applying it again changes nothing. */
export const defaultBuiltIn = (apiVersion: string, kind: string, object: JsonObject): JsonObject =>
  applySchemaDefaults(object, schemaOf(apiVersion, kind), ownDefaults)

/** Kinds whose finalizers may do without a domain: their validation is apimachinery's alone, not that of the core group. */
const freeFinalizers = /^(Lease|PodDisruptionBudget|Event|(Mutating|Validating)WebhookConfiguration)$/

/**
 * What the server would refuse in an object of a built-in kind, after defaults, apart from its metadata; on an update, `old`
 * is what is stored. What the published schema says, and a few common mistakes: not all that Kubernetes checks.
 */
export function validateBuiltIn(apiVersion: string, kind: string, object: JsonObject, old?: JsonObject): FieldIssue[] {
  if (kind === 'CustomResourceDefinition') return validateCustomResourceDefinition(object, old)
  const finalizers = freeFinalizers.test(kind) ? [] : plainFinalizerIssues(object)
  const values = schemaIssues(apiVersion, kind, object)
  const rules = builtInRules[kind]?.(object, old) ?? []
  const known = new Set(values.map(({ type, field }) => `${type} ${field}`))
  return [...finalizers, ...values, ...rules.filter(({ type, field }) => !known.has(`${type} ${field}`))]
}
