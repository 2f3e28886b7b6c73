import { Optional } from '@marcbachmann/cel-js'
import { duplicate, type FieldIssue, forbiddenField, invalidValue, item, key, required } from '../../field-issue.ts'
import { isObject, type JsonObject, type JsonValue, sameJson } from '../json.ts'
import { oldItem } from '../list-types.ts'
import type { CelRule, OpenApiSchema } from '../open-api-schema.ts'
import { type CelProgram, compileCel } from './program.ts'
import { type CelValue, celValue, withTypeAndMeta } from './values.ts'

interface CompiledRule {
  rule: CelRule
  program: CelProgram
  message: CelProgram | undefined
}

/** The compiled rules of a schema and of all schemas below it; undefined if there are no rules. */
export interface CompiledRules {
  schema: OpenApiSchema
  rules: CompiledRule[]
  items: CompiledRules | undefined
  others: CompiledRules | undefined
  properties: ReadonlyMap<string, CompiledRules>
}

function compileExpression(expression: string): CelProgram {
  const program = compileCel(expression)
  if ('complaint' in program) throw new Error(`CEL rule does not compile: ${program.complaint}`)
  return program
}

const compileRule = (rule: CelRule): CompiledRule => ({
  rule,
  program: compileExpression(rule.rule),
  message: rule.messageExpression ? compileExpression(rule.messageExpression) : undefined,
})

/** @throws {Error} for a rule that does not compile. The validation of the CRD reports such a rule earlier */
export function compileRules(schema: OpenApiSchema, isRoot = true): CompiledRules | undefined {
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, below]) => {
    const compiled = compileRules(below, false)
    return compiled === undefined ? [] : [[name, compiled] as const]
  })
  const others =
    typeof schema.additionalProperties === 'object' ? compileRules(schema.additionalProperties, false) : undefined
  const items = schema.items === undefined ? undefined : compileRules(schema.items, false)
  const rules = (schema['x-kubernetes-validations'] ?? []).map(compileRule)
  if (rules.length === 0 && properties.length === 0 && others === undefined && items === undefined) return undefined
  return { schema: isRoot ? withTypeAndMeta(schema) : schema, rules, items, others, properties: new Map(properties) }
}

const ruleText = ({ message, rule }: CelRule): string => (message || rule).trim()
const defaultMessage = ({ message, rule }: CelRule): string => (message || `failed rule: ${rule.trim()}`).trim()

const MAX_MESSAGE = 5 * 1024

function messageOf({ rule, message }: CompiledRule, self: CelValue, oldSelf: CelValue | undefined): string {
  const result = message?.run(self, oldSelf)
  const text = result !== undefined && 'value' in result && typeof result.value === 'string' ? result.value.trim() : ''
  return text === '' || text.includes('\n') || text.length > MAX_MESSAGE ? defaultMessage(rule) : text
}

function issueOf(rule: CelRule, field: string, value: JsonValue | undefined, detail: string): FieldIssue {
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(field, detail)
    case 'FieldValueRequired':
      return required(field, detail)
    case 'FieldValueDuplicate':
      return value === undefined
        ? { type: 'FieldValueDuplicate', field, detail }
        : { ...duplicate(field, value), detail }
    default:
      return value === undefined ? { type: 'FieldValueInvalid', field, detail } : invalidValue(field, value, detail)
  }
}

/** The path `.spec.a['b.c']` below a field, in field.Path's notation. */
function below(field: string, path: string | undefined): string {
  if (path === undefined || path === '') return field
  const steps = path.replace(/\['((?:[^'\\]|\\.)*)'\]/g, (_, name: string) => `.${name.replace(/\\(.)/g, '$1')}`)
  return field === '<nil>' ? steps.replace(/^\./, '') : field + steps
}

const optional = (old: CelValue | undefined): Optional => (old === undefined ? Optional.none() : Optional.of(old))

/** A value and the value that it replaces, with their position. */
interface Place {
  field: string
  value: JsonValue
  old: JsonValue | undefined
  /** Whether the value is unchanged. An unchanged value may violate rules. */
  unchanged: boolean
}

function ruleIssues(compiled: CompiledRules, place: Place): FieldIssue[] {
  const { schema } = compiled
  const self = celValue(place.value, schema)
  const oldSelf = place.old === undefined || place.old === null ? undefined : celValue(place.old, schema)
  const shown = schema.type === 'object' || schema.type === 'array' ? undefined : place.value
  return compiled.rules.flatMap((compiledRule) => {
    const { rule, program } = compiledRule
    const takesNone = rule.optionalOldSelf === true
    if (program.usesOldSelf && oldSelf === undefined && !takesNone) return []
    const result = program.run(self, takesNone ? optional(oldSelf) : oldSelf)
    if ('problem' in result) return [invalidValue(place.field, schema.type ?? '', problemText(result.problem, rule))]
    if (result.value === true || (place.unchanged && !program.usesOldSelf)) return []
    return [issueOf(rule, below(place.field, rule.fieldPath), shown, messageOf(compiledRule, self, oldSelf))]
  })
}

const problemText = (problem: string, rule: CelRule): string =>
  problem.startsWith('no such overload')
    ? `'${problem}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`
    : `${problem} evaluating rule: ${ruleText(rule)}`

const placeBelow = (place: Place, field: string, value: JsonValue, old: JsonValue | undefined): Place => ({
  field,
  value,
  old,
  unchanged: old === undefined ? place.unchanged : sameJson(old, value),
})

function entryIssues(compiled: CompiledRules, place: Place, value: JsonObject): FieldIssue[] {
  const old = isObject(place.old) ? place.old : {}
  const parent = place.field === '<nil>' ? '' : place.field
  return Object.entries(value).flatMap(([name, field]) => {
    const property = compiled.properties.get(name)
    const rules = property ?? (Object.hasOwn(compiled.schema.properties ?? {}, name) ? undefined : compiled.others)
    if (rules === undefined || field === undefined || field === null) return []
    const here = property === undefined ? key(parent, name) : parent === '' ? name : `${parent}.${name}`
    const before = Object.hasOwn(old, name) ? old[name] : undefined
    return evaluate(rules, placeBelow(place, here, field, before))
  })
}

function evaluate(compiled: CompiledRules, place: Place): FieldIssue[] {
  const { value } = place
  const here = compiled.rules.length === 0 ? [] : ruleIssues(compiled, place)
  if (isObject(value)) return [...here, ...entryIssues(compiled, place, value)]
  const { items } = compiled
  if (!Array.isArray(value) || items === undefined) return here
  const below = value.flatMap((entry, index) => {
    if (entry === null) return []
    const before = oldItem(compiled.schema, entry, place.old)
    return evaluate(items, placeBelow(place, item(place.field, index), entry, before))
  })
  return [...here, ...below]
}

/** The rules that an object violates. Unlike the real server, this has no budget for the cost of rules. */
export function evaluateRules(compiled: CompiledRules, object: JsonObject, old: JsonObject | undefined): FieldIssue[] {
  return evaluate(compiled, { field: '<nil>', value: object, old, unchanged: false })
}
