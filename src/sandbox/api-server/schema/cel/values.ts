import { Duration } from '@marcbachmann/cel-js/evaluator'
import { isObject, type JsonObject, type JsonValue } from '../json.ts'
import type { OpenApiSchema } from '../open-api-schema.ts'

// Names that are reserved words of CEL are escaped as a whole (apiserver, pkg/cel/escaping.go).
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)
const escapes: [RegExp, string][] = [
  [/__/g, '__underscores__'],
  [/\./g, '__dot__'],
  [/-/g, '__dash__'],
  [/\//g, '__slash__'],
]

// Words of CEL's grammar. After a dot, only these words must be escaped.
const grammar = new Set(['true', 'false', 'null', 'in'])

/**
 * All names that rules can use for a property. A reserved word is escaped; if CEL also allows the plain word, both
 * names work.
 */
function celNames(name: string): string[] {
  if (reserved.has(name)) return grammar.has(name) ? [`__${name}__`] : [`__${name}__`, name]
  if (!/^[A-Za-z_./-][\w./-]*$/.test(name)) return []
  return [escapes.reduce((text, [found, replacement]) => text.replace(found, replacement), name)]
}

/** Values for the CEL library: bigint is int, number is double, Date is timestamp. */
export type CelValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Date
  | Uint8Array
  | Duration
  | CelValue[]
  | { [name: string]: CelValue }

const DURATION = /^([+-]?)(\d+(?:\.\d+)?(?:h|m|s|ms|us|µs|ns))+$/
const unitSeconds: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 }

function duration(text: string): Duration | string {
  if (!DURATION.test(text)) return text
  let nanos = 0n
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g))
    nanos += BigInt(Math.round(Number(count) * (unitSeconds[unit as string] as number) * 1e9))
  const signed = text.startsWith('-') ? -nanos : nanos
  return new Duration(signed / 1_000_000_000n, Number(signed % 1_000_000_000n))
}

function celText(text: string, format: string | undefined): CelValue {
  if (format === 'byte') return new Uint8Array(Buffer.from(text, 'base64'))
  if (format === 'duration') return duration(text)
  if (format !== 'date' && format !== 'date-time') return text
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? text : date
}

function celNumber(value: number, schema: OpenApiSchema | undefined): CelValue {
  return Number.isInteger(value) && schema?.type !== 'number' ? BigInt(value) : value
}

/** Metadata fields that every object has, even if the schema omits them. */
const metadata: OpenApiSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
}
const root: Record<string, OpenApiSchema> = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata }

/** The schema that rules use. Rules see only name and generateName of an object's metadata. */
export const withTypeAndMeta = (schema: OpenApiSchema): OpenApiSchema => ({
  ...schema,
  properties: { ...schema.properties, ...root },
})

function celEntries(value: JsonObject, schema: OpenApiSchema): CelValue {
  const entries: [string, CelValue][] = []
  const properties =
    schema['x-kubernetes-embedded-resource'] === true ? { ...schema.properties, ...root } : schema.properties
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  const keepsAll = schema['x-kubernetes-preserve-unknown-fields'] === true && properties === undefined
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const below = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
    if (below !== undefined) {
      for (const called of celNames(name)) entries.push([called, celValue(field, below)])
    } else if (others !== undefined) entries.push([name, celValue(field, others)])
    else if (keepsAll) entries.push([name, celValue(field, undefined)])
  }
  return Object.fromEntries(entries)
}

/** A JSON value as CEL sees it through its schema; fields outside the schema are hidden. */
export function celValue(value: JsonValue, schema: OpenApiSchema | undefined): CelValue {
  if (typeof value === 'number') return celNumber(value, schema)
  if (typeof value === 'string') return celText(value, schema?.format)
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema?.items))
  if (!isObject(value)) return value
  if (schema !== undefined) return celEntries(value, schema)
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, celValue(field ?? null, undefined)]))
}
