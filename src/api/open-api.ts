import { quantityPattern } from './quantity.ts'
import { type Rule, rules } from './rules.ts'
import type { SchemaNode, Vocabulary } from './schema/node.ts'
import { asciiLower, listWords } from './vocabulary.ts'

/** A schema in a CustomResourceDefinition, in Kubernetes' structural subset of OpenAPI 3.0. */
export type OpenApiSchema = { [keyword: string]: unknown }

interface Validation {
  rule: string
  message: string
  fieldPath?: string
  reason?: string
}

// Keywords that mean the same in TypeBox and OpenAPI.
const sharedKeywords = [
  'description',
  'type',
  'format',
  'default',
  'enum',
  'minLength',
  'maxLength',
  'pattern',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
] as const

/**
 * Translates a schema to OpenAPI. The API server removes unknown fields, and does not refuse them. OpenAPI cannot
 * express checks of byte lengths, addresses and map keys; the admission webhook makes these checks.
 */
export function toOpenApi(node: SchemaNode): OpenApiSchema {
  const schema: OpenApiSchema = {}
  for (const keyword of sharedKeywords) if (node[keyword] !== undefined) schema[keyword] = node[keyword]
  if (node.items !== undefined) schema['items'] = toOpenApi(node.items)
  if (node.properties !== undefined && Object.keys(node.properties).length > 0) {
    schema['properties'] = mapValues(node.properties, toOpenApi)
  }
  if (node.required !== undefined && node.required.length > 0) schema['required'] = [...node.required]
  if (node.additionalProperties) schema['additionalProperties'] = toOpenApi(node.additionalProperties)
  if (node.listType !== undefined) schema['x-kubernetes-list-type'] = node.listType
  if (node.mapType !== undefined) schema['x-kubernetes-map-type'] = node.mapType
  if (node.quantity) Object.assign(schema, quantitySchema)
  const validations = validationsOf(node)
  if (validations.length > 0) schema['x-kubernetes-validations'] = validations
  return schema
}

const quantitySchema = {
  anyOf: [{ type: 'integer' }, { type: 'string' }],
  pattern: quantityPattern.source.replaceAll('\\d', '[0-9]'),
  'x-kubernetes-int-or-string': true,
}

function mapValues<T, U>(fields: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, change(value)]))
}

function validationsOf({ words, rulesAt }: SchemaNode): Validation[] {
  const ofRules = (rulesAt === undefined ? [] : rules[rulesAt]).flatMap(ruleValidation)
  return words === undefined ? ofRules : [wordsValidation(words), ...ofRules]
}

const reasons: Partial<Record<Rule['code'], string>> = {
  REQUIRED: 'FieldValueRequired',
  IMMUTABLE: 'FieldValueForbidden',
}

function ruleValidation({ cel, message, field, code }: Rule): Validation[] {
  if (typeof cel !== 'string') return []
  const reason = reasons[code]
  return [{ rule: cel, message, ...(field && { fieldPath: `.${field}` }), ...(reason && { reason }) }]
}

/** The check of `findWord` as an expression in CEL. The syntax of a list of texts is the same in CEL and JSON. */
export function wordsCel(words: Vocabulary): string {
  const forms = Object.entries(words).flatMap(([word, shorts]) => [word, ...shorts])
  const isLower = (form: string) => asciiLower(form) === form
  const list = (some: string[]) => `[${some.map((form) => `'${form}'`).join(', ')}]`
  const lower = `self.lowerAscii() in ${list(forms.filter(isLower))}`
  const upper = forms.filter((form) => !isLower(form))
  return upper.length === 0 ? lower : `self in ${list(upper)} || ${lower}`
}

const wordsValidation = (words: Vocabulary): Validation => ({
  rule: wordsCel(words),
  message: `must be one of these, in any case: ${listWords(words)}`,
})
