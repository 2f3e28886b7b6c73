import { type Struct, type StructField, sizeOf } from './c-struct.ts'

/** A comment for C source, wrapped at 120 columns. */
export function comment(text: string): string {
  const short = `/* ${text} */`
  if (short.length <= 120) return short
  return ['/*', ...text.match(/\S.{0,116}(?=\s|$)/g)!.map((line) => ` * ${line}`), ' */'].join('\n')
}

const typeName = ({ type }: StructField): string => {
  if (typeof type !== 'string') return `struct ${type.name}`
  return type === 'char' ? 'char' : `__${type}`
}

const declaration = (field: StructField): string =>
  `${typeName(field)} ${field.name}${field.count === undefined ? '' : `[${field.count}]`};`

/** C source of a struct, with the offset of each field. With `packed`, the compiler adds no padding. */
function structText(
  name: string,
  fields: readonly StructField[],
  at: Readonly<Record<string, number>>,
  packed: boolean,
): string {
  const width = Math.max(...fields.map((field) => declaration(field).length))
  const lines = fields.map((field) => {
    const offset = String(at[field.name]).padStart(2)
    return `\t${declaration(field).padEnd(width)} /* ${offset}${field.what === undefined ? '' : `: ${field.what}`} */`
  })
  return [`struct ${name} {`, ...lines, `}${packed ? ' __attribute__((packed))' : ''};`].join('\n')
}

const assertSize = (name: string, size: number): string =>
  `_Static_assert(sizeof(struct ${name}) == ${size}, "the layout of struct ${name}");`

/** C source of a packed struct with these fields. */
export function packedStruct(
  name: string,
  fields: readonly StructField[],
  at: Readonly<Record<string, number>>,
): string {
  const size = fields.reduce((sum, field) => sum + sizeOf(field), 0)
  return `${structText(name, fields, at, true)}\n${assertSize(name, size)}`
}

/** C source of a struct. */
export const plainStruct = ({ name, what, fields, at, size }: Struct): string =>
  `${comment(what)}\n${structText(name, fields, at, false)}\n${assertSize(name, size)}`

export function enumeration(name: string, prefix: string, values: Readonly<Record<string, number>>): string {
  const members = Object.entries(values).map(([word, number]) => `\t${prefix}_${word.toUpperCase()} = ${number},`)
  return [`enum ${name} {`, ...members, '};'].join('\n')
}

/** C source of constants such as `VARMOR_DENY`. The keys of `values` do not contain the prefix. */
export const definitions = (prefix: string, values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([word, number]) => `#define ${prefix}_${word} ${number}`)
    .join('\n')
