import type { Row, ValueType } from './option.ts'
import * as read from './readers.ts'

// The types of options. Each type parses the text of a flag, and defines in JSON schema which values the chart accepts.
// Parser and schema are in one place, because a value that the chart accepts must not stop the program.

/** Returns the function that declares options of a type. */
const ofType =
  <Value>(type: ValueType<Value>) =>
  <const One extends Row<Value>>(row: One): One & { type: ValueType<Value> } => ({ ...row, type })

const text = (placeholder: string) =>
  ofType<string>({ placeholder, schema: { type: 'string' }, read: (value) => value })

export const file = text('file')
export const folder = text('folder')
export const socket = text('socket')
export const address = text('address')
export const name = text('name')
/** Text with a syntax of its own, which the role parses. */
export const words = text('text')

/** A switch. It is off by default, unless the row says otherwise. */
export const toggle = <const One extends Row<boolean>>(row: One): One & { default: boolean; type: undefined } => ({
  ...row,
  default: row.default ?? false,
  type: undefined,
})

export const choice = <const Value extends string, const One extends Row<NoInfer<Value>>>(
  choices: readonly Value[],
  row: One,
): One & { type: ValueType<Value> } => ({
  ...row,
  type: { placeholder: 'kind', choices, schema: { enum: choices }, read: (value) => value as Value },
})

/** A whole number of at least 1. */
export const count = ofType<number>({
  placeholder: 'count',
  schema: { type: 'integer', minimum: 1 },
  read: read.readCount,
})

export const wholeNumber = <const One extends Row<number>>(
  { min, max }: { min: number; max: number },
  row: One,
): One & { type: ValueType<number> } => ({
  ...row,
  type: {
    placeholder: 'count',
    schema: { type: 'integer', minimum: min, maximum: max },
    read: read.readNumber(min, max),
  },
})

/** A port. The chart needs the number of the port, so it does not accept 0 (any free port). */
export const port = ofType<number>({
  placeholder: 'port',
  schema: { type: 'integer', minimum: 1, maximum: 65_535 },
  read: read.readPort,
})

const rateSchema = { type: 'number', minimum: 0 }

/** Requests per second. As in upstream, 0 means the default. */
export const rate = <const One extends Row<number> & { default: number }>(
  row: One,
): One & { type: ValueType<number> } => ({
  ...row,
  type: { placeholder: 'rate', schema: rateSchema, read: read.zeroIs(row.default, read.readRate) },
})

/** A whole number of at least 1. As in upstream, 0 means the default. */
export const countOrDefault = <const One extends Row<number> & { default: number }>(
  row: One,
): One & { type: ValueType<number> } => ({
  ...row,
  type: {
    placeholder: 'count',
    schema: { type: 'integer', minimum: 0 },
    read: read.zeroIs(row.default, read.readCount),
  },
})

/** Events per second. */
export const eventRate = ofType<number>({
  placeholder: 'events',
  schema: { type: 'number', minimum: 0.001, maximum: 999_999_999 },
  read: read.readEventRate,
})

/** Records per second, and burst. */
export const recordsRate = ofType<ReturnType<typeof read.readRecordsRate>>({
  placeholder: 'records[/burst]',
  schema: {
    type: ['string', 'number'],
    minimum: 0.001,
    maximum: 999_999,
    pattern: '^[0-9]{1,6}(\\.[0-9]{1,3})?(/[1-9][0-9]{0,5})?$',
  },
  read: read.readRecordsRate,
})

/** The size of a file or of memory, in MiB or GiB. */
export const size = ofType<`${number}M` | `${number}G`>({
  placeholder: 'size',
  schema: { type: 'string', pattern: '^[1-9][0-9]{0,5}[MGmg]$' },
  read: read.readSize,
})

/** The size of a ring in the kernel's memory: a power of two. */
export const ringSize = ofType<`${number}M`>({
  placeholder: 'size',
  schema: { type: 'string', pattern: '^(1|2|4|8|16|32|64|128|256)[Mm]$' },
  read: read.readRingSize,
})

export const dnsName = ofType<string>({
  placeholder: 'name',
  schema: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' },
  read: read.readDnsName,
})

/** Names or addresses, separated by commas. */
export const names = ofType<string[]>({
  placeholder: 'names',
  schema: { type: 'array', items: { type: 'string', pattern: '^[^,\\s]+$' } },
  read: read.readNames,
})

/** Names of namespaces, separated by commas. */
export const namespaces = ofType<string[]>({
  placeholder: 'names',
  schema: { type: 'array', items: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' } },
  read: read.readNamespaces,
})

const originSchema = { type: 'string', pattern: '^https://' }

/** `https://HOST[:PORT]`. */
export const origin = ofType<string>({ placeholder: 'url', schema: originSchema, read: read.readOrigin })

export const origins = ofType<string[]>({
  placeholder: 'url',
  schema: { type: 'array', items: originSchema },
  isVariadic: true,
  read: read.readOrigins,
})

/** `KEY=VALUE` of a label, or empty. */
export const label = ofType<string>({
  placeholder: 'label',
  schema: { type: 'string', pattern: '^([^=\\s]+=[^=\\s]+)?$' },
  read: read.readLabel,
})

export const labels = ofType<Record<string, string>>({
  placeholder: 'key=value',
  schema: { type: 'object' },
  isVariadic: true,
  read: read.readLabels,
})

/** `ADDRESS:PORT`. */
export const endpoint = ofType<read.Endpoint>({
  placeholder: 'address:port',
  schema: { type: 'string' },
  read: read.readEndpoint,
})
