import { Buffer } from 'node:buffer'
import { isSpecial, oddBits } from '../decode/byte-kinds.ts'
import { valueBytes } from '../decode/field-bytes.ts'
import { readDecimal } from '../decode/numbers.ts'
import { protocolName } from '../decode/protocol-names.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'
import { putHex, putText } from './json-text.ts'
import { fragment, type Output, putFragment, putRange } from './output.ts'

/** A value whose bytes are not UTF-8. Its text shows such bytes as U+FFFD, so `raw` contains all its bytes. */
export interface BrokenValue {
  name: string
  bytes: Uint8Array
}

/** The input and output of the put functions. A class gives all objects the same V8 shape, which the hot path needs. */
export class Values {
  readonly output: Output
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly kmsg: boolean
  readonly fields: RecordFields
  /**
   * Bytes that the rest of the line may need. Each request for room includes them, because constant texts do not
   * request room.
   */
  reserve = 0
  /** Values of this line that `raw` must contain. */
  readonly broken: BrokenValue[] = []

  constructor(output: Output, bytes: Uint8Array, view: DataView, kmsg: boolean, fields: RecordFields) {
    this.output = output
    this.bytes = bytes
    this.view = view
    this.kmsg = kmsg
    this.fields = fields
  }
}

/** Puts a value of the record as JSON. `name` is the key of the value in `event`. */
export function putValue(values: Values, slot: number, name: string): void {
  const { fields } = values
  const written = fields.forms[slot]!
  // The record's quotes become the JSON string's quotes.
  if (written === form.plain)
    putRange(values.output, values.bytes, values.view, fields.starts[slot]! - 1, fields.ends[slot]! + 1)
  else if (written === form.digits)
    putRange(values.output, values.bytes, values.view, fields.starts[slot]!, fields.ends[slot]!)
  else if (written === form.bare) putBytes(values, fields.starts[slot]!, fields.ends[slot]!, name)
  else putOddValue(values, fields.starts[slot]!, fields.ends[slot]!, written, name)
}

/** Puts a value that cannot be copied, but must be decoded, checked or quoted. */
export function putOddValue(values: Values, start: number, end: number, written: number, name: string): void {
  const value = valueBytes(values.bytes, start, end, written, values.kmsg)
  if (!putText(values.output, value.bytes, value.start, value.end, values.reserve)) return
  values.broken.push({ name, bytes: value.bytes.slice(value.start, value.end) })
}

/**
 * Adds a value to `raw`. Use it if the value's text came from a cache, and so putOddValue() did not check the value.
 */
export function noteBroken(values: Values, slot: number, name: string): void {
  const { bytes, fields, kmsg, broken } = values
  const value = valueBytes(bytes, fields.starts[slot]!, fields.ends[slot]!, fields.forms[slot]!, kmsg)
  broken.push({ name, bytes: value.bytes.slice(value.start, value.end) })
}

/** Puts bytes as a JSON string. Bytes that need no escape are only copied. */
export function putBytes(values: Values, start: number, end: number, name: string): void {
  const { output, bytes, view } = values
  const { view: out, buffer, length } = output
  buffer[length] = quote
  // Write the bytes while checking them, because most need no change.
  let odd = 0
  let to = length + 1
  let from = start
  for (const safe = end - 3; from < safe; from += 4, to += 4) {
    const word = view.getInt32(from, true)
    odd |= oddBits(word)
    out.setInt32(to, word, true)
  }
  for (; from < end; from++, to++) {
    const byte = bytes[from]!
    odd |= isSpecial[byte]! | (byte === quote ? 1 : 0)
    buffer[to] = byte
  }
  if (odd !== 0) {
    putOddValue(values, start, end, form.quoted, name)
    return
  }
  buffer[to] = quote
  output.length = to + 1
}

const quote = 0x22

/** Puts a protocol number as libapparmor's name, such as `tcp` for 6. */
export function putProtocol(values: Values, slot: number): void {
  const { fields, bytes, output } = values
  const number = fields.forms[slot] === form.bare ? readDecimal(bytes, fields.starts[slot]!, fields.ends[slot]!) : -1
  if (number === -1) putValue(values, slot, 'netProtocol')
  else putFragment(output, protocolJson(number))
}

/** Maximum cached protocols. A container may request a socket of any protocol number. */
const maxProtocols = 1024
const protocols = new Map<number, ReturnType<typeof fragment>>()

function protocolJson(number: number): ReturnType<typeof fragment> {
  const known = protocols.get(number)
  if (known !== undefined) return known
  const made = fragment(`"${protocolName(number)}"`)
  if (protocols.size < maxProtocols) protocols.set(number, made)
  return made
}

const rawStart = fragment(',"raw":{')
const rawEnd = fragment('}')
const comma = fragment(',')
const colon = fragment(':')

/** Puts `raw`, an object with the name and the bytes in hex of each broken value in this line. */
export function putRaw(values: Values): void {
  const { output, broken, reserve } = values
  putFragment(output, rawStart)
  for (const [index, { name, bytes }] of broken.entries()) {
    if (index > 0) putFragment(output, comma)
    const key = Buffer.from(name)
    putText(output, key, 0, key.length, reserve)
    putFragment(output, colon)
    putHex(output, bytes, 0, bytes.length, reserve)
  }
  putFragment(output, rawEnd)
  broken.length = 0
}
