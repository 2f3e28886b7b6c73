import { issueText } from '../../../src/sandbox/api-server/field-issue.ts'
import { compileCustomResource } from '../../../src/sandbox/api-server/schema/custom-resource.ts'
import type { JsonObject, JsonValue } from '../../../src/sandbox/api-server/schema/json.ts'
import type { OpenApiSchema } from '../../../src/sandbox/api-server/schema/open-api-schema.ts'

export const text: OpenApiSchema = { type: 'string' }
export const withSpec = (properties: Record<string, OpenApiSchema>, more: OpenApiSchema = {}): OpenApiSchema => ({
  type: 'object',
  properties: { spec: { type: 'object', properties, ...more } },
})
export const object = (spec: JsonValue): JsonObject => ({
  apiVersion: 'x.io/v1',
  kind: 'X',
  metadata: { name: 'x' },
  spec,
})
export const issues = (schema: OpenApiSchema, spec: JsonValue, old?: JsonValue): string[] =>
  compileCustomResource(schema)
    .validate(object(spec), old === undefined ? undefined : object(old))
    .map(issueText)

export const UNCHECKED =
  '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
