import { Buffer } from 'node:buffer'
import { valueBytes } from '../decode/field-bytes.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'

/** The fields of a record, and the bytes that the fields point into. */
export interface RecordPairs {
  fields: RecordFields
  bytes: Uint8Array
  buffer: Buffer
  kmsg: boolean
}

/** The undecoded bytes of a value as Latin-1 text; empty if absent. Use it only for keys, which users do not see. */
export function written({ fields, buffer }: RecordPairs, slot: number): string {
  if (fields.forms[slot] === form.absent) return ''
  return buffer.toString('latin1', fields.starts[slot], fields.ends[slot])
}

/** The decoded text of a value; empty if absent, undefined if it is not UTF-8. */
export function textOf({ fields, bytes, kmsg }: RecordPairs, slot: number): string | undefined {
  if (fields.forms[slot] === form.absent) return ''
  const value = valueBytes(bytes, fields.starts[slot]!, fields.ends[slot]!, fields.forms[slot]!, kmsg)
  const part = Buffer.from(value.bytes.buffer, value.bytes.byteOffset + value.start, value.end - value.start)
  const text = part.toString('utf8')
  return text.includes('\ufffd') ? undefined : text
}
