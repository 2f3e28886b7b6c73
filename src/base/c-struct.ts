/**
 * Structs that C and TypeScript share. The C header and the TypeScript offsets come from one table of fields, so they
 * always agree. All numbers are little-endian. Fields follow each other without padding.
 */

/** C types with their sizes in bytes. A `char` array contains text, padded with NUL. */
const sizes = { char: 1, u8: 1, u16: 2, u32: 4, u64: 8 } as const

export interface StructField {
  name: string
  type: keyof typeof sizes | Struct
  /** Number of elements, if the field is an array. */
  count?: number
  what?: string
}

/** A struct without gaps: the layout is the same whether or not a C compiler packs the struct. */
export interface Struct<Name extends string = string> {
  name: string
  what: string
  fields: readonly StructField[]
  /** Offset of each field, in bytes. */
  at: Readonly<Record<Name, number>>
  size: number
  /** Size of the largest number in the struct, in bytes. */
  alignment: number
}

const elementSize = ({ type }: StructField): number => (typeof type === 'string' ? sizes[type] : type.size)
const alignmentOf = ({ type }: StructField): number => (typeof type === 'string' ? sizes[type] : type.alignment)

export const sizeOf = (field: StructField): number => elementSize(field) * (field.count ?? 1)

/** Offset of each field from the start of the first field, and the total size. */
export function layOut<const Fields extends readonly StructField[]>(
  fields: Fields,
): { at: Record<Fields[number]['name'], number>; size: number } {
  let size = 0
  const at: Partial<Record<Fields[number]['name'], number>> = {}
  for (const field of fields) {
    at[field.name as Fields[number]['name']] = size
    size += sizeOf(field)
  }
  return { at: at as Record<Fields[number]['name'], number>, size }
}

/** @throws {Error} if a compiler would add padding; then the table needs a field `reserved` there */
export function struct<const Fields extends readonly StructField[]>(
  name: string,
  what: string,
  fields: Fields,
): Struct<Fields[number]['name']> {
  const { at, size } = layOut(fields)
  const alignment = Math.max(...fields.map(alignmentOf))
  const odd = fields.find((field) => at[field.name as Fields[number]['name']] % alignmentOf(field) !== 0)
  if (odd !== undefined) throw new Error(`struct ${name}: ${odd.name} needs a reserved field before it`)
  if (size % alignment !== 0) throw new Error(`struct ${name} needs a reserved field at its end`)
  return { name, what, fields, at, size, alignment }
}

/**
 * Value of a field: a number; a 64-bit number as two 32-bit numbers, the lower one first; or the bytes of an array or
 * struct.
 */
export type FieldValue = number | readonly [low: number, high: number] | Uint8Array

/**
 * The bytes of a struct. Short values and reserved fields are filled with zeros.
 * @throws {RangeError} for a value that does not fit into its field
 */
export function pack<Name extends string>(
  of: Struct<Name>,
  values: Readonly<Record<Exclude<Name, 'reserved'>, FieldValue>>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(of.size)
  const view = new DataView(bytes.buffer)
  for (const field of of.fields) {
    if (field.name === 'reserved') continue
    const value = values[field.name as Exclude<Name, 'reserved'>]
    if (!put(view, of.at[field.name as Name], field, value))
      throw new RangeError(`struct ${of.name}: ${field.name} cannot hold ${describe(value)}`)
  }
  return bytes
}

const describe = (value: FieldValue): string =>
  value instanceof Uint8Array ? `${value.length} bytes` : JSON.stringify(value)

const isWord = (value: number, bytes: number): boolean =>
  Number.isInteger(value) && value >= 0 && value < 2 ** (8 * bytes)

function put(view: DataView<ArrayBuffer>, at: number, field: StructField, value: FieldValue): boolean {
  if (value instanceof Uint8Array) {
    if (value.length > sizeOf(field) || value.length % elementSize(field) !== 0) return false
    new Uint8Array(view.buffer).set(value, at)
    return true
  }
  if (field.count !== undefined || typeof field.type !== 'string') return false
  const size = sizes[field.type]
  const words = typeof value === 'number' ? [value] : value
  if ((words.length === 2) !== (size === 8) || !words.every((word) => isWord(word, Math.min(size, 4)))) return false
  for (const [i, word] of words.entries()) putWord(view, at + 4 * i, Math.min(size, 4), word)
  return true
}

function putWord(view: DataView, at: number, size: number, word: number): void {
  if (size === 1) view.setUint8(at, word)
  else if (size === 2) view.setUint16(at, word, true)
  else view.setUint32(at, word, true)
}

function fieldOf(of: Struct, name: string): StructField {
  const field = of.fields.find((one) => one.name === name)
  if (field === undefined) throw new TypeError(`struct ${of.name} does not have a field ${name}`)
  return field
}

/** The bytes of a field of the struct at `start`, as a view without a copy. */
export function bytesIn<Name extends string>(of: Struct<Name>, bytes: Uint8Array, name: Name, start = 0): Uint8Array {
  const at = start + of.at[name]
  const size = sizeOf(fieldOf(of, name))
  if (at + size > bytes.length) throw new RangeError(`struct ${of.name}: ${bytes.length} bytes end before ${name}`)
  return bytes.subarray(at, at + size)
}

/** The number in a field of at most 32 bits. */
export function numberIn<Name extends string>(of: Struct<Name>, bytes: Uint8Array, name: Name, start = 0): number {
  const own = bytesIn(of, bytes, name, start)
  if (own.length > 4) throw new TypeError(`struct ${of.name}: ${name} is not a number of at most 32 bits`)
  return own.reduceRight((number, byte) => number * 256 + byte, 0)
}
