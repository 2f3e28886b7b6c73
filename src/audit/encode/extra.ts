import type { ExtraPair } from '../decode/record-fields.ts'
import { form } from '../decode/record-fields.ts'
import { fragment, putByte, putFragment } from './output.ts'
import { putOddValue, type Values } from './values.ts'

const extraStart = fragment(',"extra":{')

/** Keys without a field whose values are names. The kernel writes such a value as hex if it has a special byte. */
const untrusted = new Set(['addr', 'peer_addr', 'execpath', 'trans', 'options', 'dev', 'ocomm', 'kmod'])

/** Whether the value means that the field is absent: a daemon writes `addr=?`, and the kernel writes `addr=none`. */
function isNothing(bytes: Uint8Array, { start, end, form: written }: ExtraPair): boolean {
  if (written !== form.bare) return false
  if (end - start === 1) return bytes[start] === 0x3f
  return end - start === 4 && String.fromCharCode(...bytes.subarray(start, end)) === 'none'
}

const isHex = (text: string): boolean => text.length % 2 === 0 && /^[0-9A-F]+$/.test(text)

function formOf(bytes: Uint8Array, key: string, { start, end, form: written }: ExtraPair): number {
  if (written !== form.bare || !untrusted.has(key)) return written
  return isHex(String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 8192)))) ? form.hex : written
}

/** Puts `extra`, an object with the pairs that libapparmor's record lacks: the kernel's keys, with texts as values. */
export function putExtra(values: Values): void {
  const { output, bytes, fields } = values
  let separator = 0
  for (let index = 0; index < fields.extraCount; index++) {
    const pair = fields.extra[index]!
    if (isNothing(bytes, pair)) continue
    const key = String.fromCharCode(...bytes.subarray(pair.keyStart, Math.min(pair.keyEnd, pair.keyStart + 256)))
    output.room(values.reserve)
    if (separator === 0) putFragment(output, extraStart)
    else putByte(output, separator)
    separator = 0x2c
    putOddValue(values, pair.keyStart, pair.keyEnd, form.quoted, 'key of extra')
    putByte(output, 0x3a)
    putOddValue(values, pair.start, pair.end, formOf(bytes, key, pair), key)
  }
  if (separator !== 0) putByte(output, 0x7d)
}
