import { form, type RecordFields } from './record-fields.ts'

/** The number that the digits from `start` to `end` form; -1 for other bytes, or for more than 15 digits. */
export function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 15) return -1
  let number = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number
}

/** Like readDecimal(), for up to 13 hexadecimal digits in upper or lower case. */
export function readHex(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 13) return -1
  let number = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    const digit = byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57
    if (digit < 0 || digit > 15 || (byte > 0x39 && digit < 10)) return -1
    number = number * 16 + digit
  }
  return number
}

/** The number in a slot; 0 if the field is absent, or its value is not a number of at most 15 digits. */
export function numberIn({ forms, starts, ends }: RecordFields, bytes: Uint8Array, slot: number): number {
  return forms[slot] === form.digits ? Math.max(readDecimal(bytes, starts[slot]!, ends[slot]!), 0) : 0
}
