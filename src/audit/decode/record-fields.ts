/** The written form of a value. */
export const form = {
  absent: 0,
  /** Quoted printable ASCII without a backslash: valid JSON as it is, quotes included. */
  plain: 1,
  /** Any other quoted text. */
  quoted: 2,
  /** Digits without a leading zero in a number field: valid JSON as they are. */
  digits: 3,
  /** Pairs of upper-case hexadecimal digits without quotes: the kernel's form for untrusted names. */
  hex: 4,
  /** Any other unquoted text. */
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

/** The pairs of one record as offsets into its batch; one object serves all records in turn. */
export class RecordFields {
  /** Bit n: the nth field of the schema is present. */
  present = 0
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly forms: Uint8Array
  readonly extra: ExtraPair[] = []
  extraCount = 0
  /** The record ends inside a quoted value: a log or printk has cut it. */
  truncated = false
  /** Offset after the record, before auditd's additions. */
  end = 0

  /** @param size number of fields in the schema */
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
