import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { type FieldIssue, invalidValue, notSupported, required } from '../field-issue.ts'
import { definitionOf, publishedDefinitions } from './built-in-kinds.ts'
import { at, isObject, type JsonObject, type JsonValue, listOf } from './json.ts'

const DOCUMENT = 'kubernetes'
const within = (bits: number) => ({ type: 'number' as const, validate: (n: number) => Math.abs(n) <= 2 ** (bits - 1) })
const formats = {
  int32: within(32),
  int64: within(64),
  byte: /^[A-Za-z0-9+/\r\n]*={0,2}$/,
  'date-time': /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/,
  quantity: /^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/,
}

/**
 * The definition with a minimum length for required texts: an empty text counts as missing, because the server does not
 * distinguish an empty text from a missing one.
 */
function withRequiredTexts(definition: JsonObject): JsonObject {
  const properties = isObject(definition.properties) ? definition.properties : {}
  const texts = listOf(definition.required).filter((name) => at(properties, String(name), 'type') === 'string')
  const filled = texts.map((name) => [name, { ...(properties[String(name)] as JsonObject), minLength: 1 }])
  return { ...definition, properties: { ...properties, ...Object.fromEntries(filled) } }
}

let ajv: Ajv | undefined

/** One compiler for all kinds, so that shared parts are compiled only once. */
function compiler(): Ajv {
  if (ajv !== undefined) return ajv
  const schemas = Object.entries(publishedDefinitions()).map(([name, definition]) => {
    const quantity = name.endsWith('.Quantity') ? { format: 'quantity' } : {}
    return [
      name,
      { ...(definition.properties === undefined ? definition : withRequiredTexts(definition)), ...quantity },
    ]
  })
  // Without the optimizer, the first pod takes a third less time, and each further pod takes the same time.
  const quick = { code: { optimize: false }, validateSchema: false, logger: false } as const
  ajv = new Ajv({ ...quick, strict: false, allErrors: true, verbose: true, formats })
  ajv.addSchema({ $id: DOCUMENT, components: { schemas: Object.fromEntries(schemas) } })
  return ajv
}

const validators = new Map<string, ValidateFunction>()

function errorsOf(apiVersion: string, kind: string, object: JsonObject): ErrorObject[] {
  const definition = definitionOf(apiVersion, kind) ?? ''
  let validate = validators.get(definition)
  if (validate === undefined) {
    validate = compiler().compile({ $ref: `${DOCUMENT}#/components/schemas/${definition}` })
    validators.set(definition, validate)
  }
  return validate(object) ? [] : (validate.errors ?? [])
}

/** `spec.containers[0].name` from `/spec/containers/0/name`. */
const fieldOf = (pointer: string): string =>
  pointer
    .slice(1)
    .split('/')
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step.replaceAll('~1', '/').replaceAll('~0', '~')}`))
    .join('')
    .slice(1)

const ofType = new Set(['type', 'format', 'oneOf'])

/**
 * The first field whose type or form is wrong, such as `spec.replicas: must be integer`; undefined if no field is
 * wrong.
 */
export function typeProblem(apiVersion: string, kind: string, object: JsonObject): string | undefined {
  const [error] = errorsOf(apiVersion, kind, object).filter(({ keyword }) => ofType.has(keyword))
  return error === undefined ? undefined : `${fieldOf(error.instancePath)}: ${error.message}`
}

function issueOf({ keyword, instancePath, params, data }: ErrorObject): FieldIssue[] {
  const field = fieldOf(instancePath)
  if (keyword === 'required') return [required(fieldOf(`${instancePath}/${params['missingProperty']}`))]
  if (keyword === 'minLength') return [required(field)]
  if (keyword === 'enum') return [notSupported(field, data as JsonValue, params['allowedValues'])]
  return ofType.has(keyword) ? [invalidValue(field, data as JsonValue, `${keyword} does not fit`)] : []
}

/** The schema errors of an object: missing fields, and values outside a set. Metadata and status are not checked. */
export const schemaIssues = (apiVersion: string, kind: string, object: JsonObject): FieldIssue[] =>
  errorsOf(apiVersion, kind, object)
    .filter(({ instancePath }) => !/^\/(metadata|status)(\/|$)/.test(instancePath))
    .flatMap(issueOf)
