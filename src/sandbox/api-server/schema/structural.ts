import {
  child,
  type FieldIssue,
  forbiddenField,
  invalidValue,
  item,
  key,
  notSupported,
  required,
} from '../field-issue.ts'
import { compileCel } from './cel/program.ts'
import { applySchemaDefaults } from './defaulting.ts'
import { isObject, type JsonValue, sameJson } from './json.ts'
import type { CelRule, OpenApiSchema } from './open-api-schema.ts'
import { patternOf } from './patterns.ts'
import { prune } from './pruning.ts'
import { validateValue } from './value-validation.ts'

type Level = 'root' | 'item' | 'field'
interface Part {
  schema: OpenApiSchema
  field: string
  level: Level
}

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0)

/** The schemas of the fields and items of a value. */
function inside({ schema, field }: Part): Part[] {
  const { items, properties = {}, additionalProperties: others } = schema
  const parts: Part[] = Object.entries(properties).map(([name, below]) => ({
    schema: below,
    field: key(child(field, 'properties'), name),
    level: 'field',
  }))
  if (items !== undefined) parts.push({ schema: items, field: child(field, 'items'), level: 'item' })
  if (typeof others === 'object')
    parts.push({ schema: others, field: child(field, 'additionalProperties'), level: 'field' })
  return parts
}

const intOrString: OpenApiSchema[] = [{ type: 'integer' }, { type: 'string' }]

/**
 * The schemas under the junctors anyOf, oneOf, allOf and not, except the schema that lists the types of int-or-string.
 */
function junctors({ schema, field }: Part): Part[] {
  const lists = (['anyOf', 'allOf', 'oneOf'] as const).flatMap((word) => {
    const parts = schema[word] ?? []
    if (sameJson(parts as unknown as JsonValue, intOrString as unknown as JsonValue)) return []
    return parts.map((part, index): Part => ({ schema: part, field: item(child(field, word), index), level: 'field' }))
  })
  return schema.not === undefined
    ? lists
    : [...lists, { schema: schema.not, field: child(field, 'not'), level: 'field' }]
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref']
const QUADRATIC = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'
const EXCLUSIVE = 'additionalProperties and properties are mutual exclusive'
const PRESERVE = 'x-kubernetes-preserve-unknown-fields'

/** Errors about invalid keywords, or invalid combinations of keywords, in a schema. */
function wordIssues({ schema, field }: Part): FieldIssue[] {
  const { type = '', pattern = '', properties = {}, additionalProperties } = schema
  const given = schema as Record<string, unknown>
  const issues: FieldIssue[] = unsupported
    .filter((word) => isSet(given[word]))
    .map((word) => forbiddenField(child(field, word), `${word} is not supported`))
  if (type !== '' && !types.includes(type)) issues.push(notSupported(child(field, 'type'), type, types))
  if (schema.uniqueItems === true) issues.push(forbiddenField(child(field, 'uniqueItems'), QUADRATIC))
  if (schema[PRESERVE] === false) issues.push(invalidValue(child(field, PRESERVE), false, 'must be true or undefined'))
  if (Object.keys(properties).length > 0 && typeof additionalProperties === 'object')
    issues.push(forbiddenField(child(field, 'additionalProperties'), EXCLUSIVE))
  if (pattern !== '' && patternOf(pattern) === undefined) {
    const detail = `must be a valid regular expression, but isn't: error parsing regexp: ${pattern}`
    issues.push(invalidValue(child(field, 'pattern'), pattern, detail))
  }
  return issues
}

const absent: Record<Level, string> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

/** Errors about types: every part of the structure must have a type, and the whole must be an object. */
function typeIssues({ schema, field, level }: Part): FieldIssue[] {
  const { type = '', items } = schema
  const place = child(field, 'type')
  const isFree = schema['x-kubernetes-int-or-string'] === true || schema[PRESERVE] === true
  if (type === '') return isFree ? [] : [required(place, absent[level])]
  if (level === 'root' && type !== 'object') return [invalidValue(place, type, 'must be object at the root')]
  return type === 'array' && items === undefined ? [required(child(field, 'items'), 'must be specified')] : []
}

/** Errors about metadata. In a definition, the schema of metadata may only restrict names. */
function metadataIssues({ schema, field, level }: Part): FieldIssue[] {
  const metadata = level === 'root' ? schema.properties?.['metadata'] : undefined
  const names = Object.keys(metadata?.properties ?? {})
  if (names.every((name) => name === 'name' || name === 'generateName')) return []
  const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified'
  return [forbiddenField(key(child(field, 'properties'), 'metadata'), detail)]
}

const kinds = [
  ['x-kubernetes-map-type', 'object', ['atomic', 'granular']],
  ['x-kubernetes-list-type', 'array', ['atomic', 'set', 'map']],
] as const

function kindIssues({ schema, field }: Part): FieldIssue[] {
  return kinds.flatMap(([word, type, allowed]): FieldIssue[] => {
    const value = schema[word]
    if (value === undefined) return []
    if (!(allowed as readonly string[]).includes(value)) return [notSupported(child(field, word), value, allowed)]
    const detail = `must be ${type} if ${word} is specified`
    return schema.type === type ? [] : [invalidValue(child(field, 'type'), schema.type ?? '', detail)]
  })
}

/** Errors about the keys of a map list. Items must have all keys. */
function mapKeyIssues({ schema, field }: Part): FieldIssue[] {
  if (schema['x-kubernetes-list-type'] !== 'map') return []
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const place = child(field, 'x-kubernetes-list-map-keys')
  if (keys.length === 0) return [required(place, 'must not be empty if x-kubernetes-list-type is map')]
  return keys.flatMap((name) => {
    const declared = schema.items?.properties?.[name]
    if (declared === undefined) return [invalidValue(place, keys, 'entries must all be names of item properties')]
    if (declared.default !== undefined || schema.items?.required?.includes(name)) return []
    const detail = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
    return [required(child(key(child(field, 'items', 'properties'), name), 'default'), detail)]
  })
}

/** Keywords that are allowed only in the structure, not in schemas under anyOf, oneOf, allOf or not. */
const structureOnly: [keyof OpenApiSchema, string][] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['nullable', 'must be false to be structural'],
  [PRESERVE, 'must be false to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

const junctorIssues = (part: Part): FieldIssue[] => [
  ...structureOnly
    .filter(([word]) => isSet(part.schema[word]))
    .map(([word, detail]) => forbiddenField(child(part.field, word), detail)),
  ...wordIssues(part),
  ...[...inside(part), ...junctors(part)].flatMap(junctorIssues),
]

/** Errors about fields in a junctor that the structure does not declare. */
function missingIssues(nested: Part, schema: OpenApiSchema | undefined, at: string): FieldIssue[] {
  if (schema === undefined) return [required(at, `because it is defined in ${nested.field}`)]
  const structure = new Map(inside({ schema, field: '', level: 'root' }).map((part) => [part.field, part.schema]))
  const below = inside(nested).flatMap((part) => {
    const step = part.field.slice(nested.field.length + 1)
    return missingIssues(part, structure.get(step), child(at, step))
  })
  return [...below, ...junctors(nested).flatMap((part) => missingIssues(part, schema, at))]
}

const structureIssues = (part: Part): FieldIssue[] => [
  ...[wordIssues, typeIssues, metadataIssues, kindIssues, mapKeyIssues].flatMap((check) => check(part)),
  ...junctors(part).flatMap((nested) => [...junctorIssues(nested), ...missingIssues(nested, part.schema, part.field)]),
  ...inside(part).flatMap(structureIssues),
]

/** Errors about defaults. The schema itself must keep and accept each default. */
function defaultIssues(part: Part): FieldIssue[] {
  const below = inside(part).flatMap(defaultIssues)
  const { schema, field } = part
  const value = schema.default
  if (value === undefined) return below
  const place = child(field, 'default')
  const whole: OpenApiSchema = { type: 'object', properties: { value: schema } }
  if (!sameJson(prune({ value }, whole).object.value, value))
    return [invalidValue(place, value, 'must not have unknown fields'), ...below]
  const full = isObject(value) ? applySchemaDefaults(value, schema) : value
  const issues = validateValue(schema, full, '').map((issue) => ({
    ...issue,
    field: issue.field === '<nil>' ? place : `${place}.${issue.field}`,
  }))
  return [...issues, ...below]
}

function ruleIssues(rule: CelRule, field: string, uncorrelatable: string | undefined): FieldIssue[] {
  const place = child(field, 'rule')
  if ((rule.rule ?? '').trim() === '') return [required(place, 'rule is not specified')]
  const program = compileCel(rule.rule)
  const message = rule.messageExpression ? compileCel(rule.messageExpression) : undefined
  const issues: FieldIssue[] = []
  if ('complaint' in program) return [invalidValue(place, rule.rule, `compilation failed: ${program.complaint}`)]
  if (program.type !== 'bool' && program.type !== 'dyn')
    issues.push(invalidValue(place, rule.rule, 'cel expression must evaluate to a bool'))
  if (message !== undefined && 'complaint' in message) {
    const detail = `messageExpression compilation failed: ${message.complaint}`
    issues.push(invalidValue(child(field, 'messageExpression'), rule.messageExpression ?? '', detail))
  }
  if (program.usesOldSelf && uncorrelatable !== undefined) {
    const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`
    issues.push(invalidValue(place, rule.rule, detail))
  }
  return issues
}

/** @param uncorrelatable an enclosing list whose items do not correspond to items of the old object */
function rulesIssues(part: Part, uncorrelatable?: string): FieldIssue[] {
  const { schema, field } = part
  const rules = child(field, 'x-kubernetes-validations')
  const isAtomic = schema.type === 'array' && schema['x-kubernetes-list-type'] !== 'map'
  return [
    ...(schema['x-kubernetes-validations'] ?? []).flatMap((rule, i) =>
      ruleIssues(rule, item(rules, i), uncorrelatable),
    ),
    ...inside(part).flatMap((below) => rulesIssues(below, uncorrelatable ?? (isAtomic ? field : undefined))),
  ]
}

/**
 * The errors of a definition's schema: why it is not structural, which defaults do not fit, and which rules do not
 * compile.
 */
export function definitionSchemaIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const root: Part = { schema, field, level: 'root' }
  const structure = structureIssues(root)
  if (structure.length > 0) return structure
  const defaults = defaultIssues(root)
  return defaults.length > 0 ? defaults : rulesIssues(root)
}
