import * as bytes from '../../base/bytes.ts'

const { space } = bytes

/**
 * The `1740366282.121:674` of `audit(1740366282.121:674)`: seconds, milliseconds and the serial number of the record.
 */
export class AuditId {
  /** Offsets of the text between the brackets. */
  start = 0
  end = 0
  /** Unix seconds. */
  epoch = 0
  /** Offsets of the fraction with its point, such as `.121`. It has at most nine digits. */
  fractionStart = 0
  fractionEnd = 0
  /** Offset of the serial number, after leading zeros. It ends at `end`. */
  serialStart = 0
  /** Offset of the record's pairs. It is also set for a record without an id. */
  body = 0

  /** Sets the values for a record without an id: an empty text at `at`. */
  clear(at: number, epoch: number): void {
    this.start = at
    this.end = at
    this.epoch = epoch
    this.fractionStart = at
    this.fractionEnd = at
    this.serialStart = at
    this.body = at
  }
}

const zero = 0x30
const dot = 0x2e
const colon = 0x3a
const openBracket = 0x28
const closeBracket = 0x29

/** Maximum seconds. They end in the year 5138; a line with more seconds is broken. */
const maxSeconds = 99_999_999_999
/** Maximum digits of a serial number. The kernel's serial is an unsigned int; 20 digits are enough for 64 bits. */
const maxSerialDigits = 20
const maxFraction = 10

/** Whether the bytes at `at` are `audit(`. */
export function isAuditId(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    at + 6 <= end &&
    bytes[at] === 0x61 &&
    bytes[at + 1] === 0x75 &&
    bytes[at + 2] === 0x64 &&
    bytes[at + 3] === 0x69 &&
    bytes[at + 4] === 0x74 &&
    bytes[at + 5] === openBracket
  )
}

/**
 * Reads an id that starts with `audit(` at `at`.
 * @returns the offset after its `): `, or -1 if it is not an id
 */
export function readAuditId(bytes: Uint8Array, at: number, end: number, id: AuditId): number {
  const start = at + 6
  let i = start
  let epoch = 0
  for (; i < end && isDigit(bytes[i]!); i++) epoch = epoch * 10 + bytes[i]! - 0x30
  if (i === start || i >= end || bytes[i] !== dot || epoch > maxSeconds) return -1
  const fraction = ++i
  while (i < end && isDigit(bytes[i]!)) i++
  if (i === fraction || i >= end || bytes[i] !== colon) return -1
  const fractionEnd = i
  let serial = ++i
  while (i < end && isDigit(bytes[i]!)) i++
  if (i === serial || i >= end || bytes[i] !== closeBracket) return -1
  while (serial < i - 1 && bytes[serial] === zero) serial++
  if (i - serial > maxSerialDigits) return -1
  id.start = start
  id.end = i
  id.epoch = epoch
  id.fractionStart = fraction - 1
  id.fractionEnd = Math.min(fractionEnd, fraction - 1 + maxFraction)
  id.serialStart = serial
  if (++i < end && bytes[i] === colon) i++
  id.body = i < end && bytes[i] === space ? i + 1 : i
  return id.body
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
