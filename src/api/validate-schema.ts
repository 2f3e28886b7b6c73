import { matches, type Problem, textProblem } from './check-text.ts'
import { type FieldError, join, nearestName } from './field-error.ts'
import { parseQuantity } from './quantity.ts'
import type { SchemaNode } from './schema/node.ts'
import { listWords } from './vocabulary.ts'

type Fields = Readonly<Record<string, unknown>>

/** Whether the value is a JSON object: not null and not a list. */
export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object's own field, never an inherited field such as `constructor`. */
export const fieldOf = (value: Fields, name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined)

export interface SchemaOptions {
  /** The path of the value within the object; errors begin with this path. */
  path?: string
  /** Whether to ignore unknown fields, because the sender may be newer. */
  newer?: boolean
  /** Maximum number of returned errors. Default: unlimited. */
  max?: number
}

/** Collects errors up to a maximum. */
class Errors {
  readonly found: FieldError[] = []
  readonly newer: boolean
  readonly #max: number

  constructor({ newer = false, max: most = Number.POSITIVE_INFINITY }: SchemaOptions) {
    this.newer = newer
    this.#max = most
  }

  get isFull(): boolean {
    return this.found.length >= this.#max
  }

  push(error: FieldError): void {
    if (!this.isFull) this.found.push(error)
  }
}

/**
 * Returns all errors of `value` according to its schema, in the order of the document. `value` may be any value: the
 * depth of the search depends only on the schema. `checkRules` checks the rules about several fields.
 */
export function validateSchema(node: SchemaNode, value: unknown, options: SchemaOptions = {}): FieldError[] {
  const errors = new Errors(options)
  visit(node, value, options.path ?? '', errors)
  return errors.found
}

function visit(node: SchemaNode, value: unknown, path: string, errors: Errors): void {
  if (errors.isFull) return
  const fail = (problem: Problem) => void errors.push({ path, ...problem })
  if (node.anything) return
  if (node.quantity) checkQuantity(value, fail)
  else if (typeOf(value) !== node.type && !(node.type === 'integer' && Number.isInteger(value))) {
    fail(wrongType(node, value))
  } else if (typeof value === 'string') {
    const problem = textProblem(node, value)
    if (problem !== undefined) fail(problem)
  } else if (typeof value === 'number') checkRange(node, value, fail)
  else if (Array.isArray(value)) visitList(node, value, path, errors)
  else if (isObject(value)) visitObject(node, value, path, errors)
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

const typeNames: Record<string, string> = {
  object: 'an object',
  array: 'a list',
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  null: 'empty (null)',
}

function wrongType(node: SchemaNode, value: unknown): Problem {
  const allowed = typeNames[node.type ?? ''] ?? 'anything'
  const is = typeNames[typeOf(value)] ?? `a ${typeof value}`
  const given = typeof value === 'object' || typeof value === 'bigint' ? {} : { given: value }
  const hint = value === null ? '; leave the field out' : ''
  return { code: 'WRONG_TYPE', problem: `this is ${is}${hint}`, allowed, ...given }
}

type Fail = (problem: Problem) => void

function checkRange({ minimum, maximum, code = 'NOT_ALLOWED' }: SchemaNode, given: number, fail: Fail): void {
  if (given >= (minimum ?? -Infinity) && given <= (maximum ?? Infinity)) return
  const allowed = maximum === undefined ? `${minimum} or more` : `${minimum ?? 'any'} to ${maximum}`
  fail({ code, given, problem: 'this number is out of range', allowed })
}

function checkQuantity(given: unknown, fail: Fail): void {
  const allowed = 'a quantity such as 500m, 0.5, 128Mi or 1G'
  if (typeof given !== 'string' && typeof given !== 'number') {
    fail({ code: 'WRONG_TYPE', problem: `this is ${typeNames[typeOf(given)] ?? 'no value'}`, allowed })
  } else if (typeof given === 'number' && !Number.isSafeInteger(given)) {
    // The API server accepts only whole numbers and texts as quantities.
    fail({
      code: 'WRONG_TYPE',
      given,
      problem: 'this number is not an integer, or too large; put it in quotes',
      allowed,
    })
  } else if (parseQuantity(given) === undefined) {
    fail({ code: 'NOT_ALLOWED', given, problem: 'this is not a quantity', allowed })
  }
}

function visitList(node: SchemaNode, value: readonly unknown[], path: string, errors: Errors): void {
  const { items = {}, minItems = 0, maxItems = Infinity, listType } = node
  if (value.length < minItems) {
    errors.push({ code: 'NOT_ALLOWED', path, problem: 'the list must not be empty' })
  }
  if (value.length > maxItems) {
    const problem = `this list has ${value.length} elements`
    errors.push({ code: 'TOO_LONG', path, problem, allowed: `at most ${maxItems}` })
    return
  }
  const seen = new Set<unknown>()
  for (const [i, item] of value.entries()) {
    if (errors.isFull) return
    const at = join(path, i)
    visit(items, item, at, errors)
    if (listType === 'set' && seen.has(item)) {
      errors.push({ code: 'CONFLICT', path: at, given: item, problem: 'this is in the list twice' })
    }
    seen.add(item)
  }
}

// An object with more unknown fields gets one error for all of them, because the list would be too long to read.
const MAX_FIELDS = 1000

function visitObject(node: SchemaNode, value: Fields, path: string, errors: Errors): void {
  const { properties = {}, required = [], additionalProperties } = node
  if (isObject(additionalProperties)) {
    visitMap(node, additionalProperties, value, path, errors)
    return
  }
  const entries = Object.entries(value)
  if (entries.length > MAX_FIELDS) {
    errors.push({
      code: 'TOO_LONG',
      path,
      problem: `this has ${entries.length} fields`,
      allowed: Object.keys(properties).join(', '),
    })
    return
  }
  for (const [name, given] of entries) {
    const field = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (errors.isFull) return
    if (field !== undefined) visit(field, given, join(path, name), errors)
    else if (!errors.newer) errors.push(unknownField(name, path, Object.keys(properties)))
  }
  for (const name of required) {
    if (!Object.hasOwn(value, name)) errors.push(missingField(name, path, properties[name] ?? {}))
  }
}

function missingField(name: string, path: string, node: SchemaNode): FieldError {
  return { code: 'REQUIRED', path: join(path, name), problem: 'this field is required', allowed: expected(node) }
}

/** The values that a field accepts, described in a few words. */
function expected({ type, enum: values, words, items }: SchemaNode): string {
  if (values !== undefined) return values.join(', ')
  if (words !== undefined) return listWords(words)
  if (items !== undefined) return `a list of: ${expected(items)}`
  return typeNames[type ?? ''] ?? 'any value'
}

function visitMap(node: SchemaNode, values: SchemaNode, value: Fields, path: string, errors: Errors): void {
  const { keys, maxProperties = Infinity } = node
  const entries = Object.entries(value)
  if (entries.length > maxProperties) {
    const problem = `this has ${entries.length} entries`
    errors.push({ code: 'TOO_LONG', path, problem, allowed: `at most ${maxProperties}` })
    return
  }
  for (const [name, given] of entries) {
    if (errors.isFull) return
    const at = keyPath(path, name)
    if (keys !== undefined && !matches(keys.pattern, name)) {
      const nearest = nearestName(name, keys.names ?? [])
      const problem = {
        code: 'NOT_ALLOWED',
        path: at,
        given: name,
        problem: 'the key is not allowed',
        allowed: keys.form,
      } as const
      errors.push({ ...problem, ...(nearest !== undefined && { nearest }) })
    }
    visit(values, given, at, errors)
  }
}

function unknownField(name: string, path: string, known: readonly string[]): FieldError {
  const nearest = name.length > MAX_KEY ? undefined : nearestName(name, known)
  return {
    code: 'UNKNOWN_FIELD',
    path: keyPath(path, name),
    problem: 'unknown field',
    allowed: known.join(', '),
    ...(nearest !== undefined && { nearest }),
  }
}

const MAX_KEY = 80

/**
 * The path of a key that the user chose. A key is in brackets if it looks like several path steps, or could garble a
 * terminal.
 */
export function keyPath(path: string, key: string): string {
  if (/^[\w/-]{1,80}$/.test(key)) return join(path, key)
  const shown = key.length > MAX_KEY ? `${key.slice(0, MAX_KEY)}…` : key
  const plain = JSON.stringify(shown).replace(/[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `${path}[${plain}]`
}
