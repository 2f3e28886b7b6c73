import { child, type FieldIssue, forbiddenField, invalidValue, issueText, item, key, required } from '../field-issue.ts'
import { byCodePoint } from '../go-text.ts'
import { goRegExp } from './go-regexp.ts'
import { sameJson } from './json.ts'
import type { OpenApiSchema } from './open-api-schema.ts'

type Level = 'root' | 'item' | 'field'

const absent: Record<Level, string> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

const properties = (schema: OpenApiSchema): [string, OpenApiSchema][] => Object.entries(schema.properties ?? {})
const property = (field: string, name: string): string => key(child(field, 'properties'), name)
const othersOf = (schema: OpenApiSchema): OpenApiSchema | undefined =>
  typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
const isTyped = ({ type }: OpenApiSchema): boolean => type !== undefined && type !== ''
const intOrString = [{ type: 'integer' }, { type: 'string' }]
const isIntOrString = (schemas: OpenApiSchema[] | undefined): boolean =>
  sameJson((schemas ?? null) as never, intOrString as never)

function typeIssues(schema: OpenApiSchema, level: Level, field: string): FieldIssue[] {
  const typeField = child(field, 'type')
  const embedded = schema['x-kubernetes-embedded-resource'] === true
  if (embedded && schema.type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true'
    return [isTyped(schema) ? invalidValue(typeField, schema.type ?? '', detail) : required(typeField, detail)]
  }
  const free = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true
  if (!isTyped(schema)) return free ? [] : [required(typeField, absent[level])]
  return level === 'root' && schema.type !== 'object'
    ? [invalidValue(typeField, schema.type ?? '', 'must be object at the root')]
    : []
}

const metadataWords = new Set(['type', 'properties', 'default', 'description'])

/** At the root, a CRD may say of metadata only what its names must look like. */
function metadataIssues(metadata: OpenApiSchema, field: string): FieldIssue[] {
  const names = Object.keys(metadata.properties ?? {})
  const more = Object.keys(metadata).some((word) => !metadataWords.has(word) && word !== 'description')
  if (names.every((name) => name === 'name' || name === 'generateName') && !more && metadata.description === undefined)
    return []
  return [
    forbiddenField(
      field,
      'must not specify anything other than name and generateName, but metadata is implicitly specified',
    ),
  ]
}

function typeMetaIssues(schema: OpenApiSchema, level: Level, field: string): FieldIssue[] {
  const checked = level === 'root' || schema['x-kubernetes-embedded-resource'] === true
  if (!checked) return []
  const { kind, apiVersion, metadata } = schema.properties ?? {}
  const issues: FieldIssue[] = []
  for (const [name, declared] of Object.entries({ kind, apiVersion }))
    if (declared !== undefined && declared.type !== 'string')
      issues.push(invalidValue(child(property(field, name), 'type'), declared.type ?? '', 'must be string'))
  if (metadata === undefined) return issues
  if (metadata.type !== 'object')
    issues.push(invalidValue(child(property(field, 'metadata'), 'type'), metadata.type ?? '', 'must be object'))
  return level === 'root' ? [...issues, ...metadataIssues(metadata, property(field, 'metadata'))] : issues
}

function extensionIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  if (schema['x-kubernetes-int-or-string'] !== true) return []
  const clashes = ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const
  return clashes
    .filter((word) => schema[word] === true)
    .map((word) => invalidValue(child(field, word), true, 'must be false if x-kubernetes-int-or-string is true'))
}

function otherIssues(schema: OpenApiSchema, level: Level, field: string): FieldIssue[] {
  const issues: FieldIssue[] = []
  const embedded = schema['x-kubernetes-embedded-resource'] === true
  const others = child(field, 'additionalProperties')
  if (schema.additionalProperties !== undefined) {
    if (level === 'root') issues.push(forbiddenField(others, 'must not be used at the root'))
    if (embedded) issues.push(forbiddenField(others, 'must not be used if x-kubernetes-embedded-resource is set'))
  }
  if (embedded && schema['x-kubernetes-preserve-unknown-fields'] !== true && properties(schema).length === 0)
    issues.push(
      required(
        child(field, 'properties'),
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  return issues
}

/** Words that only the structure itself may use, not a schema under anyOf, oneOf, allOf or not. */
const structureOnly: [keyof OpenApiSchema, string][] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0)

function nestedIssues(schema: OpenApiSchema, field: string, skipAnyOf = false): FieldIssue[] {
  const words = structureOnly.filter(([word]) => isSet(schema[word]))
  return [
    ...words.map(([word, detail]) => forbiddenField(child(field, word), detail)),
    ...junctorIssues(schema, field, skipAnyOf),
    ...(schema.items === undefined ? [] : nestedIssues(schema.items, child(field, 'items'))),
    ...properties(schema).flatMap(([name, below]) => nestedIssues(below, property(field, name))),
    ...(schema.properties !== undefined && Object.hasOwn(schema.properties, 'metadata')
      ? [forbiddenField(property(field, 'metadata'), 'must not be specified in a nested context')]
      : []),
  ]
}

function junctorIssues(
  schema: OpenApiSchema,
  field: string,
  skipAnyOf = false,
  skipInFirstAllOf = false,
): FieldIssue[] {
  const each = (word: 'anyOf' | 'allOf' | 'oneOf', skip: (index: number) => boolean) =>
    (schema[word] ?? []).flatMap((nested, index) => nestedIssues(nested, item(child(field, word), index), skip(index)))
  const { pattern } = schema
  const bad = pattern !== undefined && pattern !== '' && goRegExp(pattern) === undefined
  return [
    ...(skipAnyOf ? [] : each('anyOf', () => false)),
    ...each('allOf', (index) => skipInFirstAllOf && index === 0),
    ...each('oneOf', () => false),
    ...(schema.not === undefined ? [] : nestedIssues(schema.not, child(field, 'not'))),
    ...(bad
      ? [
          invalidValue(
            child(field, 'pattern'),
            pattern,
            `must be a valid regular expression, but isn't: error parsing regexp: ${pattern}`,
          ),
        ]
      : []),
  ]
}

function invariantIssues(schema: OpenApiSchema, level: Level, field: string): FieldIssue[] {
  const others = othersOf(schema)
  return [
    ...(schema.type === 'array' && schema.items === undefined
      ? [required(child(field, 'items'), 'must be specified')]
      : []),
    ...(schema.items === undefined ? [] : invariantIssues(schema.items, 'item', child(field, 'items'))),
    ...properties(schema).flatMap(([name, below]) => invariantIssues(below, 'field', property(field, name))),
    ...(others === undefined ? [] : invariantIssues(others, 'field', child(field, 'additionalProperties'))),
    ...extensionIssues(schema, field),
    ...junctorIssues(schema, field, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf)),
    ...typeIssues(schema, level, field),
    ...otherIssues(schema, level, field),
    ...typeMetaIssues(schema, level, field),
  ]
}

/** What a junctor speaks of must be in the structure, too. */
function completenessIssues(
  nested: OpenApiSchema,
  schema: OpenApiSchema | undefined,
  at: string,
  from: string,
): FieldIssue[] {
  if (schema === undefined) return [required(at, `because it is defined in ${from}`)]
  const inJunctors = (['allOf', 'anyOf', 'oneOf'] as const).flatMap((word) =>
    (nested[word] ?? []).flatMap((below, index) =>
      nestedCompleteness(below, schema, at, item(child(from, word), index)),
    ),
  )
  const inNot = nested.not === undefined ? [] : nestedCompleteness(nested.not, schema, at, child(from, 'not'))
  return [...inNot, ...inJunctors]
}

function nestedCompleteness(nested: OpenApiSchema, schema: OpenApiSchema, at: string, from: string): FieldIssue[] {
  const inItems =
    nested.items === undefined ? [] : below(nested.items, schema.items, child(at, 'items'), child(from, 'items'))
  const inProperties = properties(nested).flatMap(([name, declared]) =>
    below(declared, schema.properties?.[name], property(at, name), property(from, name)),
  )
  return [...completenessIssues(nested, schema, at, from), ...inItems, ...inProperties]
}

const below = (nested: OpenApiSchema, schema: OpenApiSchema | undefined, at: string, from: string): FieldIssue[] =>
  schema === undefined
    ? [required(at, `because it is defined in ${from}`)]
    : nestedCompleteness(nested, schema, at, from)

/** Why a schema is not structural, sorted (apiextensions, pkg/apiserver/schema/validation.go). */
export function structuralIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const issues = [...invariantIssues(schema, 'root', field), ...completenessIssues(schema, schema, field, field)]
  return issues.sort((a, b) => byCodePoint(issueText(a), issueText(b)))
}
