/** What scanFields() has to know of a kind of record: its fields, which are numbered by their place, and the keys that fill them. */
export interface SchemaText<Field extends string> {
  /** At most the first 32 are counted in `RecordFields.present`. */
  fields: readonly Field[]
  keys: Readonly<Record<string, Field>>
  /** Fields that are unsigned numbers; a value that is none goes to the extra pairs. */
  numbers: readonly Field[]
  /** The number of which the sign is dropped. */
  signed?: Field
  /** Fields that the kernel writes with audit_log_untrustedstring(): in quotes, or as hex when a byte is odd. */
  untrusted: readonly Field[]
  /** Field whose value may hold blanks and ends before ` pid=`. */
  subject?: Field
}

/** Slot of a key that is not in the table, and of a role that no field has. */
export const noSlot = -1

const tableBits = 9
const shift = 32 - tableBits

/** As scanFields() makes it, byte by byte. */
const hashOf = (key: string): number =>
  [...key].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, 0)

/** The first odd number that spreads all hashes over the table without two in one place. */
function findMultiplier(hashes: readonly number[]): number {
  for (let multiplier = 1; ; multiplier += 2)
    if (new Set(hashes.map((hash) => Math.imul(hash, multiplier) >>> shift)).size === hashes.length) return multiplier
}

/** A SchemaText as tables. All instances have one shape, so that the scanner stays fast with two of them. */
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

  /** The slot of the key at `start` to `end`, whose hash is `hash`; `noSlot` where the table has none. */
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
