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

/** @throws {Error} for a kind without a schema, because its objects cannot be handled */
function schemaOf(apiVersion: string, kind: string): OpenApiSchema {
  const schema = builtInSchema(apiVersion, kind)
  if (schema === undefined) throw new Error(`${apiVersion} does not have a built-in kind ${kind}`)
  return schema
}

/**
 * A body as an object of a built-in kind, without unknown fields, nulls and empty lists. `problems` names the unknown
 * fields (`unknown field "spec.foo"`), for `fieldValidation`.
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

/** A copy with the server's defaults. Applying the defaults again changes nothing. */
export const defaultBuiltIn = (apiVersion: string, kind: string, object: JsonObject): JsonObject =>
  applySchemaDefaults(object, schemaOf(apiVersion, kind), ownDefaults)

/** Kinds whose finalizers need no domain: only apimachinery validates them, and not the core group. */
const freeFinalizers = /^(Lease|PodDisruptionBudget|Event|(Mutating|Validating)WebhookConfiguration)$/

/**
 * The errors that the server would report for a built-in object after defaults, except errors of its metadata. On an
 * update, `old` is the stored object. This covers the published schema and a few common mistakes, not all of
 * Kubernetes' checks.
 */
export function validateBuiltIn(apiVersion: string, kind: string, object: JsonObject, old?: JsonObject): FieldIssue[] {
  if (kind === 'CustomResourceDefinition') return validateCustomResourceDefinition(object, old)
  const finalizers = freeFinalizers.test(kind) ? [] : plainFinalizerIssues(object)
  const values = schemaIssues(apiVersion, kind, object)
  const rules = builtInRules[kind]?.(object, old) ?? []
  const known = new Set(values.map(({ type, field }) => `${type} ${field}`))
  return [...finalizers, ...values, ...rules.filter(({ type, field }) => !known.has(`${type} ${field}`))]
}
