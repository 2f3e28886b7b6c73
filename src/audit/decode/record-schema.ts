/** Describes a kind of record for scanFields(). The number of a field is its index in `fields`. */
export interface SchemaText<Field extends string> {
  /** `RecordFields.present` has bits for the first 32 fields. */
  fields: readonly Field[]
  keys: Readonly<Record<string, Field>>
  /** Fields with unsigned numbers. If such a value is not a number, its pair becomes an extra pair. */
  numbers: readonly Field[]
  /** The field whose number may have a minus, which is dropped. */
  signed?: Field
  /** Fields that the kernel writes with audit_log_untrustedstring(): in quotes, or as hex if a byte is special. */
  untrusted: readonly Field[]
  /** The field whose value may contain spaces, and ends before ` pid=`. */
  subject?: Field
}

/** Stands for the slot of a key, or of a special field such as `subject`, that the schema lacks. */
export const noSlot = -1

const tableBits = 9
const shift = 32 - tableBits

/** The hash of a key. scanFields() computes the same hash byte by byte. */
const hashOf = (key: string): number =>
  [...key].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, 0)

/** Finds the first odd number that maps all hashes to different places of the table. */
function findMultiplier(hashes: readonly number[]): number {
  for (let multiplier = 1; ; multiplier += 2)
    if (new Set(hashes.map((hash) => Math.imul(hash, multiplier) >>> shift)).size === hashes.length) return multiplier
}

/** A SchemaText as tables. All schemas have the same V8 shape, so that the scanner is fast with both of them. */
export class RecordSchema {
  readonly size: number
  readonly isNumber: Uint8Array
  readonly isUntrusted: Uint8Array
  readonly signed: number
  readonly subject: number
  readonly #multiplier: number
  readonly #slots = new Int16Array(1 << tableBits).fill(noSlot)
  readonly #texts: Uint8Array[] = Array.from({ length: 1 << tableBits }, () => new Uint8Array(0))

  constructor(text: SchemaText<string>) {
    const slot = (field: string | undefined) => (field === undefined ? noSlot : text.fields.indexOf(field))
    const flags = (names: readonly string[]) => Uint8Array.from(text.fields, (field) => (names.includes(field) ? 1 : 0))
    this.size = text.fields.length
    this.isNumber = flags(text.numbers)
    this.isUntrusted = flags(text.untrusted)
    this.signed = slot(text.signed)
    this.subject = slot(text.subject)
    this.#multiplier = findMultiplier(Object.keys(text.keys).map(hashOf))
    for (const [key, field] of Object.entries(text.keys)) {
      const place = this.#place(hashOf(key))
      this.#slots[place] = slot(field)
      this.#texts[place] = Uint8Array.from(key, (letter) => letter.charCodeAt(0))
    }
  }

  /** The slot of the key from `start` to `end` with this hash; `noSlot` if the table lacks it. */
  slotOf(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const place = this.#place(hash)
    const text = this.#texts[place]!
    if (text.length !== end - start) return noSlot
    for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return noSlot
    return this.#slots[place]!
  }

  #place(hash: number): number {
    return Math.imul(hash, this.#multiplier) >>> shift
  }
}
