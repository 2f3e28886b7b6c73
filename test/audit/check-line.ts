import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { lineJsonSchema } from '../../src/audit/line/line-json-schema.ts'
import { type LineKind, lineKinds, ownKeys, ownKinds, standardKeys } from '../../src/audit/line/line-keys.ts'

/*
 * Every line of a test goes through this check: against the published schema, and against the keys in the tables of
 * EVENTS.md.
 */

const ajv = new Ajv2020({ strict: true, allErrors: true, strictTypes: false, formats: { 'date-time': true } })
const schema = lineJsonSchema({ strict: true })
ajv.addSchema(schema)
const validators = new Map<LineKind, ValidateFunction>()

function validatorOf(kind: LineKind): ValidateFunction {
  let validate = validators.get(kind)
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `${schema['$id']}#/$defs/${kind}` })
    validators.set(kind, validate)
  }
  return validate
}

const order = [...standardKeys, ...ownKeys]

/** The position of each key in a line, by the kind of line. */
const placesOf = new Map(
  lineKinds.map((kind) => [
    kind,
    new Map(order.filter(({ of }) => of === undefined || of.includes(kind)).map(({ name }, place) => [name, place])),
  ]),
)

/** The kind of a line, from its message and its enforcer. */
function kindOf({ message, enforcer }: Record<string, unknown>): LineKind | undefined {
  if (message !== 'violation event') return ownKinds.find((kind) => kind === message)
  return enforcer === '' ? 'undecoded' : lineKinds.find((kind) => kind === enforcer)
}

/**
 * Checks a line of violations.log.
 * @returns the parsed line
 * @throws {Error} with the violations of the schema
 */
export function checkLine(line: string): Record<string, unknown> {
  const value = JSON.parse(line) as Record<string, unknown>
  const kind = kindOf(value)
  if (kind === undefined) throw new Error(`a line of no kind that src/audit/line/line-keys.ts has: ${line}`)
  const validate = validatorOf(kind)
  if (!validate(value))
    throw new Error(`not as violation.schema.json has it: ${ajv.errorsText(validate.errors)}: ${line}`)
  const places = placesOf.get(kind)!
  let last = -1
  for (const name of Object.keys(value)) {
    const place = places.get(name)!
    if (place < last) throw new Error(`${name} comes too late: ${line}`)
    last = place
  }
  return value
}

/**
 * Checks the lines of a log.
 * @returns the parsed lines
 */
export const checkLines = (log: string): Record<string, unknown>[] =>
  log
    .split('\n')
    .filter((line) => line !== '')
    .map(checkLine)
