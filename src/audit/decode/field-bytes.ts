import { form } from './record-fields.ts'

/** The decoded bytes of a value. */
export interface ValueBytes {
  bytes: Uint8Array
  start: number
  end: number
}

const hexValue = (digit: number): number => {
  if (digit >= 0x30 && digit <= 0x39) return digit - 0x30
  const lower = digit | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/**
 * Decodes a value. A hex value consists of pairs of digits. In text from /dev/kmsg, `\xHH` stands for an unprintable
 * byte or a backslash (Documentation/ABI/testing/dev-kmsg). All other bytes stay as they are.
 */
export function valueBytes(bytes: Uint8Array, start: number, end: number, written: number, kmsg: boolean): ValueBytes {
  if (written === form.hex) return fromHex(bytes, start, end)
  if (kmsg) return fromKmsg(bytes, start, end)
  return { bytes, start, end }
}

function fromHex(bytes: Uint8Array, start: number, end: number): ValueBytes {
  const decoded = new Uint8Array((end - start) >> 1)
  for (let i = 0, at = start; i < decoded.length; i++, at += 2)
    decoded[i] = (hexValue(bytes[at]!) << 4) | hexValue(bytes[at + 1]!)
  return { bytes: decoded, start: 0, end: decoded.length }
}

function fromKmsg(bytes: Uint8Array, start: number, end: number): ValueBytes {
  const decoded = new Uint8Array(end - start)
  let length = 0
  for (let at = start; at < end; ) {
    const escaped = kmsgEscape(bytes, at, end)
    decoded[length++] = escaped === -1 ? bytes[at]! : escaped
    at += escaped === -1 ? 1 : 4
  }
  return { bytes: decoded, start: 0, end: length }
}

/** The byte that a `\xHH` at `at` stands for; -1 if there is no `\xHH` at `at`. */
function kmsgEscape(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== 0x5c || at + 4 > end || bytes[at + 1] !== 0x78) return -1
  const high = hexValue(bytes[at + 2]!)
  const low = hexValue(bytes[at + 3]!)
  return high < 0 || low < 0 ? -1 : (high << 4) | low
}
