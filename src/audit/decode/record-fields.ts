/** How a value was written. */
export const form = {
  absent: 0,
  /** In quotes, printable ASCII without a backslash: valid JSON as it stands, quotes included. */
  plain: 1,
  /** In quotes, anything. */
  quoted: 2,
  /** Digits without a leading zero, in a field that is a number: JSON as it stands. */
  digits: 3,
  /** Upper-case hexadecimal digits in pairs, without quotes: how the kernel writes names that it does not trust. */
  hex: 4,
  /** Anything else without quotes. */
  bare: 5,
} as const

/** A pair that has no field of its own, by the offsets of its key and value. */
export interface ExtraPair {
  keyStart: number
  keyEnd: number
  start: number
  end: number
  form: number
}

/**
 * The pairs of one record as offsets into the bytes of its batch; one object serves all records, one after the other.
 */
export class RecordFields {
  /** Bit n: the nth field of the schema is there. */
  present = 0
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly forms: Uint8Array
  readonly extra: ExtraPair[] = []
  extraCount = 0
  /** The record ends inside of a quoted value: a log or printk has cut it. */
  truncated = false
  /** Offset behind the record: what auditd adds to it is beyond. */
  end = 0

  /** @param size how many fields the schema has. */
  constructor(size: number) {
    this.starts = new Int32Array(size)
    this.ends = new Int32Array(size)
    this.forms = new Uint8Array(size)
  }

  clear(): void {
    this.present = 0
    this.forms.fill(form.absent)
    this.extraCount = 0
    this.truncated = false
  }

  set(slot: number, start: number, end: number, written: number): void {
    this.starts[slot] = start
    this.ends[slot] = end
    this.forms[slot] = written
    if (slot < 32) this.present |= 1 << slot
  }

  addExtra(keyStart: number, keyEnd: number, start: number, end: number, written: number): void {
    this.extra[this.extraCount++] = { keyStart, keyEnd, start, end, form: written }
  }
}
