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
import { withTypeAndMeta } from './cel/values.ts'
import type { JsonValue } from './json.ts'
import type { CelRule, OpenApiSchema } from './open-api-schema.ts'

/** What is known on the way down a schema. */
interface Walk {
  isRoot: boolean
  /** Why defaults are not allowed here. */
  noDefaults: string | undefined
  insideMeta: boolean
  /** The list or map above whose items have no counterpart in the old object: rules with oldSelf cannot work. */
  uncorrelatable: string | undefined
  /** Rules are compiled only where the structure carries them. */
  rules: boolean
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const meta = new Set(['metadata', 'kind', 'apiVersion'])

const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const

function wordIssues(schema: OpenApiSchema, field: string, walk: Walk): FieldIssue[] {
  const issues: FieldIssue[] = []
  const given = schema as Record<string, JsonValue | undefined>
  if (schema.type !== undefined && schema.type !== '' && schema.type !== 'null' && !types.includes(schema.type))
    issues.push(notSupported(child(field, 'type'), schema.type, types))
  if (schema.default !== undefined && walk.noDefaults !== undefined)
    issues.push(forbiddenField(child(field, 'default'), `must not be set ${walk.noDefaults}`))
  for (const word of unsupported)
    if (given[word] !== undefined && given[word] !== '')
      issues.push(forbiddenField(child(field, word), `${word} is not supported`))
  if (schema.type === 'null')
    issues.push(forbiddenField(child(field, 'type'), 'type cannot be set to null, use nullable as an alternative'))
  if (Array.isArray(given.items))
    issues.push(forbiddenField(child(field, 'items'), 'items must be a schema object and not an array'))
  if (walk.insideMeta && schema['x-kubernetes-embedded-resource'] === true)
    issues.push(
      forbiddenField(child(field, 'x-kubernetes-embedded-resource'), 'must not be used inside of resource meta'),
    )
  if (schema.uniqueItems === true)
    issues.push(
      forbiddenField(
        child(field, 'uniqueItems'),
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  return issues
}

function kindIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const issues: FieldIssue[] = []
  const checks = [
    ['x-kubernetes-map-type', 'object', ['atomic', 'granular']],
    ['x-kubernetes-list-type', 'array', ['atomic', 'set', 'map']],
  ] as const
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    issues.push(invalidValue(child(field, 'x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'))
  for (const [word, type, allowed] of checks) {
    const value = schema[word]
    if (value === undefined) continue
    const detail = `must be ${type} if ${word} is specified`
    if (schema.type === undefined || schema.type === '') issues.push(required(child(field, 'type'), detail))
    else if (schema.type !== type) issues.push(invalidValue(child(field, 'type'), schema.type, detail))
    if (!(allowed as readonly string[]).includes(value)) issues.push(notSupported(child(field, word), value, allowed))
  }
  return issues
}

function setIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const { items } = schema
  if (schema.type !== 'array' || schema['x-kubernetes-list-type'] !== 'set' || items === undefined) return []
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const [list, map] = [items['x-kubernetes-list-type'], items['x-kubernetes-map-type']]
  if (items.type === 'array' && list !== undefined && list !== 'atomic')
    return [invalidValue(child(field, 'items', 'x-kubernetes-list-type'), list, detail)]
  if (items.type === 'object' && map !== 'atomic')
    return [invalidValue(child(field, 'items', 'x-kubernetes-map-type'), list ?? null, detail)]
  return []
}

function mapKeyIssues(schema: OpenApiSchema, items: OpenApiSchema, field: string): FieldIssue[] {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const keysField = child(field, 'x-kubernetes-list-map-keys')
  return keys.flatMap((name, index) => {
    const declared = items.properties?.[name]
    const place = key(child(field, 'items', 'properties'), name)
    const issues: FieldIssue[] = []
    if (declared === undefined)
      issues.push(invalidValue(keysField, keys, 'entries must all be names of item properties'))
    else if (declared.type === 'array' || declared.type === 'object')
      issues.push(
        invalidValue(
          child(place, 'type'),
          items.type ?? '',
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (keys.indexOf(name) !== index) issues.push(invalidValue(keysField, keys, 'must not contain duplicate entries'))
    return issues
  })
}

function keyPresenceIssues(schema: OpenApiSchema, items: OpenApiSchema, field: string): FieldIssue[] {
  const type = schema['x-kubernetes-list-type']
  const issues: FieldIssue[] = []
  if (items.nullable === true)
    issues.push(
      forbiddenField(child(field, 'items', 'nullable'), `cannot be nullable when x-kubernetes-list-type is ${type}`),
    )
  if (type !== 'map') return issues
  for (const name of schema['x-kubernetes-list-map-keys'] ?? []) {
    const declared = items.properties?.[name]
    if (declared === undefined) continue
    const place = key(child(field, 'items', 'properties'), name)
    if (!(items.required ?? []).includes(name) && declared.default === undefined)
      issues.push(
        required(
          child(place, 'default'),
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      )
    if (declared.nullable === true)
      issues.push(
        forbiddenField(
          child(place, 'nullable'),
          'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
        ),
      )
  }
  return issues
}

function mapIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const { items } = schema
  const type = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const issues: FieldIssue[] = []
  const typeField = child(field, 'x-kubernetes-list-type')
  const detail = 'must be map if x-kubernetes-list-map-keys is non-empty'
  if (keys.length > 0 && type === undefined) issues.push(required(typeField, detail))
  else if (keys.length > 0 && type !== 'map') issues.push(invalidValue(typeField, type ?? '', detail))
  if (type === 'map') {
    if (keys.length === 0)
      issues.push(
        required(child(field, 'x-kubernetes-list-map-keys'), 'must not be empty if x-kubernetes-list-type is map'),
      )
    if (items === undefined)
      issues.push(required(child(field, 'items'), 'must have a schema if x-kubernetes-list-type is map'))
    else if (items.type !== 'object')
      issues.push(
        invalidValue(
          child(field, 'items', 'type'),
          items.type ?? '',
          "must be object if parent array's x-kubernetes-list-type is map",
        ),
      )
    else issues.push(...mapKeyIssues(schema, items, field))
  }
  if (items !== undefined && (type === 'map' || type === 'set')) issues.push(...keyPresenceIssues(schema, items, field))
  return issues
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

function fieldPathExists(schema: OpenApiSchema, path: string): boolean {
  let here: OpenApiSchema | undefined = schema
  const steps = path.match(/\.[^.[\]]+|\['(?:[^'\\]|\\.)*'\]/g) ?? []
  if (steps.join('') !== path) return false
  for (const step of steps) {
    const name = step.startsWith('.') ? step.slice(1) : step.slice(2, -2).replace(/\\(.)/g, '$1')
    const others: OpenApiSchema | boolean | undefined = here?.additionalProperties
    if (here?.properties !== undefined) here = here.properties[name]
    else here = typeof others === 'object' ? others : undefined
    if (here === undefined) return false
  }
  return true
}

function ruleWordIssues(schema: OpenApiSchema, rule: CelRule, field: string): FieldIssue[] {
  const [text, message] = [(rule.rule ?? '').trim(), (rule.message ?? '').trim()]
  const issues: FieldIssue[] = []
  if (text === '') issues.push(required(child(field, 'rule'), 'rule is not specified'))
  else if (rule.message && message === '')
    issues.push(invalidValue(child(field, 'message'), rule.message, 'must be non-empty if specified'))
  else if (message.includes('\n'))
    issues.push(invalidValue(child(field, 'message'), rule.message ?? '', 'must not contain line breaks'))
  else if (text.includes('\n') && message === '')
    issues.push(required(child(field, 'message'), 'message must be specified if rule contains line breaks'))
  if (rule.messageExpression && rule.messageExpression.trim() === '')
    issues.push(required(child(field, 'messageExpression'), 'messageExpression must be non-empty if specified'))
  if (rule.reason !== undefined && !reasons.includes(rule.reason))
    issues.push(notSupported(child(field, 'reason'), rule.reason, reasons))
  const { fieldPath } = rule
  if (!fieldPath) return issues
  const place = child(field, 'fieldPath')
  if (fieldPath.trim() === '') issues.push(invalidValue(place, fieldPath, 'must be non-empty if specified'))
  if (fieldPath.includes('\n')) issues.push(invalidValue(place, fieldPath, 'must not contain line breaks'))
  if (!fieldPathExists(schema, fieldPath)) issues.push(invalidValue(place, fieldPath, 'must be a valid path'))
  return issues
}

/** A rule as the server prints it: its own struct. */
const ruleStruct = (rule: CelRule): JsonValue => ({
  Rule: rule.rule,
  Message: rule.message ?? '',
  MessageExpression: rule.messageExpression ?? '',
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? '',
  OptionalOldSelf: rule.optionalOldSelf ?? null,
})

function compileIssues(schema: OpenApiSchema, rule: CelRule, field: string, walk: Walk): FieldIssue[] {
  const shown = ruleStruct(rule)
  const self = walk.isRoot ? withTypeAndMeta(schema) : schema
  const program = compileCel(rule.rule, self)
  if ('complaint' in program)
    return [invalidValue(child(field, 'rule'), shown, `compilation failed: ${program.complaint}`)]
  const issues: FieldIssue[] = []
  if (program.type !== 'bool' && program.type !== 'dyn')
    issues.push(invalidValue(child(field, 'rule'), shown, 'cel expression must evaluate to a bool'))
  if (rule.messageExpression) {
    const message = compileCel(rule.messageExpression)
    if ('complaint' in message)
      issues.push(
        invalidValue(
          child(field, 'messageExpression'),
          shown,
          `messageExpression compilation failed: ${message.complaint}`,
        ),
      )
  }
  if (program.usesOldSelf && walk.uncorrelatable !== undefined)
    issues.push(
      invalidValue(
        child(field, 'rule'),
        rule.rule,
        `oldSelf cannot be used on the uncorrelatable portion of the schema within ${walk.uncorrelatable}`,
      ),
    )
  if (!program.usesOldSelf && rule.optionalOldSelf !== undefined)
    issues.push(
      invalidValue(
        child(field, 'optionalOldSelf'),
        rule.optionalOldSelf,
        'may not be set if oldSelf is not used in rule',
      ),
    )
  return issues
}

interface Found {
  schema: FieldIssue[]
  cel: FieldIssue[]
}

function below(schema: OpenApiSchema, field: string, walk: Walk): Found[] {
  const found: Found[] = []
  const others = schema.additionalProperties
  const inner = { ...walk, isRoot: false }
  if (typeof others === 'object') {
    const noDefaults = walk.insideMeta ? 'inside additionalProperties applying to object metadata' : walk.noDefaults
    found.push(issuesOf(others, child(field, 'additionalProperties'), { ...inner, noDefaults }))
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const isMeta = (walk.isRoot || schema['x-kubernetes-embedded-resource'] === true) && meta.has(name)
    const noDefaults = isMeta && walk.isRoot ? `in top-level ${name}` : walk.noDefaults
    const insideMeta = walk.insideMeta || isMeta
    found.push(issuesOf(property, key(child(field, 'properties'), name), { ...inner, insideMeta, noDefaults }))
  }
  if (schema.items !== undefined && !Array.isArray(schema.items)) {
    const correlatable = schema['x-kubernetes-list-type'] === 'map'
    const uncorrelatable = walk.uncorrelatable ?? (correlatable ? undefined : field)
    found.push(issuesOf(schema.items, child(field, 'items'), { ...inner, uncorrelatable }))
  }
  const nested = { ...inner, rules: false }
  if (schema.not !== undefined) found.push(issuesOf(schema.not, child(field, 'not'), nested))
  for (const word of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [index, part] of (schema[word] ?? []).entries())
      found.push(issuesOf(part, item(child(field, word), index), nested))
  return found
}

function issuesOf(schema: OpenApiSchema, field: string, walk: Walk): Found {
  const exclusive =
    schema.properties !== undefined &&
    Object.keys(schema.properties).length > 0 &&
    schema.additionalProperties !== undefined &&
    schema.additionalProperties !== true
  const deeper = below(schema, field, walk)
  const rules = (schema['x-kubernetes-validations'] ?? []).map(
    (rule, index) => [rule, item(child(field, 'x-kubernetes-validations'), index)] as const,
  )
  const inSchema = [
    ...wordIssues(schema, field, walk),
    ...(exclusive
      ? [
          forbiddenField(
            child(field, 'additionalProperties'),
            'additionalProperties and properties are mutual exclusive',
          ),
        ]
      : []),
    ...deeper.flatMap((found) => found.schema),
    ...kindIssues(schema, field),
    ...setIssues(schema, field),
    ...mapIssues(schema, field),
    ...rules.flatMap(([rule, place]) => ruleWordIssues(schema, rule, place)),
  ]
  // Errors of types below would only repeat what the schema's own errors say.
  const compiled =
    inSchema.length > 0 || !walk.rules ? [] : rules.flatMap(([rule, place]) => compileIssues(schema, rule, place, walk))
  return { schema: inSchema, cel: [...deeper.flatMap((found) => found.cel), ...compiled] }
}

/**
 * What the words of a CRD's schema are not allowed to say, and rules that do not compile.
 * @param rules whether to compile rules: only a structural schema has types to compile against.
 */
export function schemaIssues(schema: OpenApiSchema, field: string, rules: boolean): FieldIssue[] {
  const walk: Walk = { isRoot: true, noDefaults: undefined, insideMeta: false, uncorrelatable: undefined, rules }
  const found = issuesOf(schema, field, walk)
  return [...found.schema, ...found.cel]
}
