/** A kind of record for scanFields(): its fields, numbered by their place, and the keys that fill them. */
export interface SchemaText<Field extends string> {
  /** At most the first 32 are in `RecordFields.present`. */
  fields: readonly Field[]
  keys: Readonly<Record<string, Field>>
  /** Fields with unsigned numbers; a value that is not a number goes to the extra pairs. */
  numbers: readonly Field[]
  /** The number that may have a sign, which is dropped. */
  signed?: Field
  /** Fields that the kernel writes with audit_log_untrustedstring(): quoted, or as hex if a byte is odd. */
  untrusted: readonly Field[]
  /** Field whose value may contain spaces and ends before ` pid=`. */
  subject?: Field
}

/** Slot of an unknown key, and of a role without a field. */
export const noSlot = -1

const tableBits = 9
const shift = 32 - tableBits

/** The hash that scanFields() computes byte by byte. */
const hashOf = (key: string): number =>
  [...key].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, 0)

/** The first odd number that maps all hashes to different places of the table. */
function findMultiplier(hashes: readonly number[]): number {
  for (let multiplier = 1; ; multiplier += 2)
    if (new Set(hashes.map((hash) => Math.imul(hash, multiplier) >>> shift)).size === hashes.length) return multiplier
}

/** A SchemaText as tables. All instances have one shape, so that the scanner stays fast with two schemas. */
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
