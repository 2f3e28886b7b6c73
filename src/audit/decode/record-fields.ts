/** The written form of a value. */
export const form = {
  absent: 0,
  /** Printable ASCII in quotes, without a backslash. With its quotes, this is a valid JSON string. */
  plain: 1,
  /** Any other quoted text. */
  quoted: 2,
  /** Digits of a number field, without leading zeros. They are a valid JSON number. */
  digits: 3,
  /** Pairs of upper-case hexadecimal digits without quotes. The kernel writes untrusted names with special bytes so. */
  hex: 4,
  /** Any other unquoted text. */
  bare: 5,
} as const

/** The offsets of the key and value of a pair without a field in the schema. */
export interface ExtraPair {
  keyStart: number
  keyEnd: number
  start: number
  end: number
  form: number
}

/** The pairs of the current record, as offsets into its batch. The object is reused for each record. */
export class RecordFields {
  /** Bit n is set if the nth field of the schema is present. */
  present = 0
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly forms: Uint8Array
  readonly extra: ExtraPair[] = []
  extraCount = 0
  /** Whether the record ends inside a quoted value, because a log or printk cut the record. */
  truncated = false
  /** Offset of the end of the kernel's record, where auditd's additions may start. */
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
