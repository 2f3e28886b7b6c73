import { type FieldIssue, invalidValue, notSupported, required, tooLong, tooMany, typeInvalid } from '../field-issue.ts'
import { goNumber, goQuote } from '../go-text.ts'
import { hasFormat } from './formats.ts'
import { isObject, type JsonObject, type JsonValue, sameJson } from './json.ts'
import { oldItem } from './list-types.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import { patternOf } from './patterns.ts'

/**
 * The errors of a value, and the number of passed checks. If no alternative of anyOf or oneOf fits, the server reports
 * the alternative with most passed checks (kube-openapi, pkg/validation/validate).
 */
class Result {
  readonly issues: FieldIssue[] = []
  matches = 0

  add(issue: FieldIssue): this {
    if (!this.issues.some((other) => sameIssue(other, issue))) this.issues.push(issue)
    return this
  }
  merge(other: Result | undefined): this {
    for (const issue of other?.issues ?? []) this.add(issue)
    this.matches += other?.matches ?? 0
    return this
  }
  passed(): this {
    this.matches++
    return this
  }
  get isValid(): boolean {
    return this.issues.length === 0
  }
}

const sameIssue = (a: FieldIssue, b: FieldIssue): boolean =>
  a.type === b.type && a.field === b.field && a.detail === b.detail && sameJson(a.value, b.value)

/** A value's position as texts show it: `spec.x[0].y`; `<nil>` for the whole object. */
const fieldOf = (path: string): string => (path === '' ? '<nil>' : path.replace(/^\./, ''))
const general = (message: string): FieldIssue => invalidValue('<nil>', '', message)
const place = (path: string): string => `${path} in body`

const INT_OR_STRING = ['integer', 'string']
const typesOf = (schema: OpenApiSchema): string[] => {
  if (schema['x-kubernetes-int-or-string'] === true) return INT_OR_STRING
  return schema.type === undefined || schema.type === '' ? [] : [schema.type]
}

function jsonType(value: JsonValue): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

const ofType = (path: string, types: readonly string[], found: string): FieldIssue =>
  typeInvalid(fieldOf(path), found, `${place(path)} must be of type ${types.join(',')}: ${goQuote(found)}`)

/** The schema's format; undefined if the server does not know the format, or does not check it for this type. */
function knownFormat({ format, type }: OpenApiSchema): string | undefined {
  if (format === undefined || format === '') return undefined
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : undefined
  if (type === 'number') return format === 'float' || format === 'double' ? format : undefined
  if (type !== undefined && type !== '' && type !== 'string') return undefined
  return hasFormat(format, '') === undefined ? undefined : format
}

function checkType(schema: OpenApiSchema, value: JsonValue, path: string): Result {
  const result = new Result().passed()
  const types = typesOf(schema)
  const found = jsonType(value)
  if (types.length === 0) return result
  if (value === null) return schema.nullable === true ? result : new Result().add(ofType(path, types, found))
  const isNumber = types.includes('number') || types.includes('integer')
  if (!isNumber && knownFormat(schema) !== undefined && typeof value === 'string') return result
  const fits = types.includes(found) || (found === 'integer' && types.includes('number'))
  return fits ? result : new Result().add(ofType(path, types, found))
}

function checkAnyOf(schemas: readonly OpenApiSchema[], value: JsonValue, path: string): Result {
  let best: Result | undefined
  for (const schema of schemas) {
    const result = check(schema, value, path, undefined)
    if (result.isValid) return result
    if (best === undefined || result.matches > best.matches) best = result
  }
  return new Result().add(general(`${goQuote(path)} must validate at least one schema (anyOf)`)).merge(best)
}

function checkOneOf(schemas: readonly OpenApiSchema[], value: JsonValue, path: string): Result {
  const results = schemas.map((schema) => check(schema, value, path, undefined))
  const valid = results.filter((result) => result.isValid)
  if (valid.length === 1) return new Result().merge(valid[0])
  const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`
  const failed = new Result().add(general(`${goQuote(path)} must validate one and only one schema (oneOf). ${found}`))
  if (valid.length > 0) return failed
  return failed.merge(results.reduce((best, result) => (result.matches > best.matches ? result : best)))
}

function checkAllOf(schemas: readonly OpenApiSchema[], value: JsonValue, path: string): Result {
  const all = new Result()
  const results = schemas.map((schema) => check(schema, value, path, undefined))
  for (const result of results) all.merge(result)
  const valid = results.filter((result) => result.isValid).length
  if (valid === schemas.length) return all
  const none = valid === 0 ? '. None validated' : ''
  return all.add(general(`${goQuote(path)} must validate all the schemas (allOf)${none}`))
}

function checkJunctors(schema: OpenApiSchema, value: JsonValue, path: string): Result {
  const result = new Result()
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) result.merge(checkAnyOf(schema.anyOf, value, path))
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) result.merge(checkOneOf(schema.oneOf, value, path))
  if (schema.allOf !== undefined && schema.allOf.length > 0) result.merge(checkAllOf(schema.allOf, value, path))
  if (schema.not !== undefined && check(schema.not, value, path, undefined).isValid)
    result.add(general(`${goQuote(path)} must not validate the schema (not)`))
  return result.passed()
}

function checkText(schema: OpenApiSchema, text: string, path: string): Result {
  const result = new Result()
  const length = Array.from(text).length
  const field = fieldOf(path)
  if (schema.maxLength !== undefined && length > schema.maxLength) return result.add(tooLong(field, schema.maxLength))
  if (schema.minLength !== undefined && length < schema.minLength)
    return result.add(invalidValue(field, text, `${place(path)} should be at least ${schema.minLength} chars long`))
  if (schema.pattern !== undefined && schema.pattern !== '' && patternOf(schema.pattern)?.test(text) !== true)
    return result.add(invalidValue(field, text, `${place(path)} should match '${schema.pattern}'`))
  return result
}

function checkFormat(schema: OpenApiSchema, text: string, path: string): Result | undefined {
  const format = knownFormat(schema)
  if (format === undefined || hasFormat(format, text) !== false) return undefined
  const detail = `${place(path)} must be of type ${format}: ${goQuote(text)}`
  return new Result().add(typeInvalid(fieldOf(path), text, detail))
}

const ranges: Record<string, readonly [number, number]> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  float: [-3.4028234663852886e38, 3.4028234663852886e38],
}

function checkRange(schema: OpenApiSchema, value: number, path: string): FieldIssue | undefined {
  const format = knownFormat(schema)
  const range = ranges[format ?? (schema.type === 'integer' ? 'int64' : '')]
  const whole = schema.type !== 'integer' || Number.isInteger(value)
  if (range === undefined || (whole && value >= range[0] && value <= range[1])) return undefined
  const form = format === undefined ? '(default format)' : `with format ${format}`
  return general(`Checked value must be of type ${schema.type ?? ''} ${form} in ${path}`)
}

function boundProblem(schema: OpenApiSchema, value: number): string[] {
  const { multipleOf, maximum, minimum } = schema
  const problems: string[] = []
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) problems.push(`a multiple of ${goNumber(multipleOf)}`)
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum))
    problems.push(
      `${schema.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to'} ${goNumber(minimum)}`,
    )
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum))
    problems.push(`${schema.exclusiveMaximum === true ? 'less than' : 'less than or equal to'} ${goNumber(maximum)}`)
  return problems
}

function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor
  return Number.isInteger(quotient) || Math.abs(quotient - Math.round(quotient)) < 1e-9
}

function checkNumber(schema: OpenApiSchema, value: number, path: string): Result {
  const result = new Result()
  const outside = checkRange(schema, value, path)
  if (outside !== undefined) result.add(outside)
  for (const problem of boundProblem(schema, value))
    result.add(invalidValue(fieldOf(path), value, `${place(path)} should be ${problem}`))
  return result.passed()
}

function checkList(schema: OpenApiSchema, items: JsonValue[], path: string, old: JsonValue | undefined): Result {
  const result = new Result()
  const { items: below } = schema
  if (below !== undefined)
    for (const [index, item] of items.entries())
      result.merge(check(below, item, `${path}[${index}]`, oldItem(schema, item, old)))
  const count = items.length
  if (schema.minItems !== undefined && count < schema.minItems)
    result.add(invalidValue(fieldOf(path), count, `${place(path)} should have at least ${schema.minItems} items`))
  if (schema.maxItems !== undefined && count > schema.maxItems)
    result.add(tooMany(fieldOf(path), count, schema.maxItems))
  if (
    schema.uniqueItems === true &&
    items.some((item, index) => items.findIndex((other) => sameJson(other, item)) !== index)
  )
    result.add(invalidValue(fieldOf(path), '', `${place(path)} shouldn't contain duplicates`))
  return result.passed()
}

function checkEnum(schema: OpenApiSchema, value: JsonValue, path: string): Result | undefined {
  const allowed = schema.enum
  if (allowed === undefined || allowed.length === 0 || allowed.some((entry) => sameJson(entry, value))) return undefined
  const texts = allowed.map((entry) => (typeof entry === 'string' ? entry : JSON.stringify(entry)))
  return new Result().add(notSupported(fieldOf(path), value, texts))
}

const oldField = (old: JsonValue | undefined, name: string): JsonValue | undefined =>
  isObject(old) && Object.hasOwn(old, name) ? old[name] : undefined

function checkFields(
  schema: OpenApiSchema,
  value: JsonObject,
  path: string,
  old: JsonValue | undefined,
  result: Result,
): void {
  const { properties = {}, additionalProperties } = schema
  const below = (name: string) => (path === '' ? name : `${path}.${name}`)
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined || Object.hasOwn(properties, name)) continue
    if (typeof additionalProperties === 'object')
      result.merge(check(additionalProperties, field, `${path}.${name}`, oldField(old, name)))
  }
  for (const [name, property] of Object.entries(properties)) {
    const field = Object.hasOwn(value, name) ? value[name] : undefined
    if (field !== undefined) result.merge(check(property, field, below(name), oldField(old, name)))
  }
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name) || value[name] === undefined) result.add(required(fieldOf(`${path}.${name}`)))
}

function checkObject(schema: OpenApiSchema, value: JsonObject, path: string, old: JsonValue | undefined): Result {
  const result = new Result()
  const count = Object.values(value).filter((field) => field !== undefined).length
  if (schema.minProperties !== undefined && count < schema.minProperties)
    result.add(
      invalidValue(fieldOf(path), count, `${place(path)} should have at least ${schema.minProperties} properties`),
    )
  if (schema.maxProperties !== undefined && count > schema.maxProperties)
    result.add(tooMany(fieldOf(path), count, schema.maxProperties))
  checkFields(schema, value, path, old, result)
  return result
}

/** Runs each validator that applies. `old` is the value that this value replaces, if known. */
function check(schema: OpenApiSchema, value: JsonValue, path: string, old: JsonValue | undefined): Result {
  const result = new Result()
  // Errors that the stored value already has are tolerated ("ratcheting").
  if (old !== undefined && sameJson(old, value)) return result.passed()
  result.merge(checkType(schema, value, path))
  if (value === null) return result.merge(checkEnum(schema, value, path))
  result
    .passed()
    .merge(checkJunctors(schema, value, path))
    .passed()
  if (typeof value === 'string') {
    result.merge(checkText(schema, value, path)).passed()
    if (knownFormat(schema) !== undefined) result.merge(checkFormat(schema, value, path)).passed()
  }
  if (typeof value === 'number') result.merge(checkNumber(schema, value, path)).passed()
  if (Array.isArray(value)) result.merge(checkList(schema, value, path, old)).passed()
  result.merge(checkEnum(schema, value, path)).passed()
  if (isObject(value)) result.merge(checkObject(schema, value, path, old)).passed()
  return result.passed()
}

/**
 * The schema errors of a value, in the words of the server. `old` is the stored value: errors of unchanged parts are
 * tolerated.
 */
export const validateValue = (schema: OpenApiSchema, value: JsonValue, path = '', old?: JsonValue): FieldIssue[] =>
  check(schema, value, path, old).issues
