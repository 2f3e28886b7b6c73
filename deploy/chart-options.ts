import { defaultText, type Option, type OptionTable } from '../src/options/option.ts'
import { roleTables } from '../src/options/role-tables.ts'

/** A JSON schema. */
export interface Schema {
  description?: string
  properties?: Record<string, Schema>
  [keyword: string]: unknown
}

/** An option whose value is the chart's value at a path. */
export interface PlainOption {
  path: readonly string[]
  option: Option<unknown>
}

/** The options whose values are the chart's values. */
export function plainOptions(): PlainOption[] {
  return Object.values<OptionTable>(roleTables)
    .flatMap((table) => Object.values(table))
    .flatMap((option) => (typeof option.value === 'string' ? [{ path: option.value.split('.'), option }] : []))
}

/** JSON schemas of all chart values that tables of options declare, by path. */
export function optionSchemas(): Map<string, Schema> {
  const schemas = new Map<string, Schema>()
  for (const { value, type } of Object.values<OptionTable>(roleTables).flatMap((table) => Object.values(table))) {
    if (value === undefined || (typeof value === 'object' && 'from' in value)) continue
    if (typeof value === 'string') schemas.set(value, orNull(type?.schema ?? { type: 'boolean' }))
    else {
      schemas.set(value.enabled, orNull({ type: 'boolean' }))
      schemas.set(value.args, orNull({ type: 'array', items: { type: 'string', pattern: '^-' } }))
    }
  }
  return schemas
}

/** The schema that also accepts null, which means the program's default. */
function orNull(schema: Schema): Schema {
  if (Array.isArray(schema['enum'])) return { ...schema, enum: [...schema['enum'], null] }
  return { ...schema, type: [schema['type'], 'null'].flat() }
}

/** The sentences that describe a chart value. If the chart does not set the value, they name the program's default. */
export function sentencesOf(option: Option<unknown>, value: unknown): string {
  const { help, valueHelp = help, note } = option
  const fallback = defaultText(option)
  const isList = Array.isArray(value)
  const isLeft = fallback !== undefined && (value === null || (isList && fallback !== 'none'))
  const words = isLeft ? `${valueHelp}; ${isList ? 'empty' : 'null'}: ${fallback}` : valueHelp
  const sentence = `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
  return note === undefined ? sentence : `${sentence} ${note}`
}
