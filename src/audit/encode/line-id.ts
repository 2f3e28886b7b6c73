import { space } from '../../base/bytes.ts'
import type { AuditId } from '../decode/audit-id.ts'
import { header } from '../decode/bpf-record.ts'
import { valueBytes } from '../decode/field-bytes.ts'
import { form } from '../decode/record-fields.ts'
import { recordHash } from '../decode/record-hash.ts'
import { RecordTime } from '../decode/record-time.ts'
import type { EventTime } from './event-time.ts'
import { type Fragment, type Output, putFragment, putNumber, writeFragment, writeRange } from './output.ts'
import type { Values } from './values.ts'

/*
 * The `id` of a line does not depend on when or from which source its record is read: `<boot>-audit-<audit id>-<hash>`,
 * or `<boot>-bpf-<seconds since boot>.<nanoseconds>-<hash>`, or `<boot>-raw-<hash>-<hash>` without a readable id. All
 * records of one system call have the same audit id, so the hash of the record's bytes distinguishes them.
 */

/** The two digits of each number, with the first digit in the lower byte. */
const pairsOf = (base: number): Uint16Array =>
  Uint16Array.from({ length: base * base }, (_, number) => {
    const digits = number.toString(base).padStart(2, '0')
    return digits.charCodeAt(0) | (digits.charCodeAt(1) << 8)
  })
const pairs = pairsOf(16)
const decimalPairs = pairsOf(10)

const quote = 0x22
const dash = 0x2d
const dot = 0x2e

/** Writes a hash as eight hexadecimal digits. */
function writeHash(view: DataView, at: number, hash: number): number {
  view.setUint16(at, pairs[hash >>> 24]!, true)
  view.setUint16(at + 2, pairs[(hash >>> 16) & 255]!, true)
  view.setUint16(at + 4, pairs[(hash >>> 8) & 255]!, true)
  view.setUint16(at + 6, pairs[hash & 255]!, true)
  return at + 8
}

/** The end of a record, before its trailing spaces. */
export function recordEnd(bytes: Uint8Array, end: number): number {
  let at = end
  while (at > 0 && bytes[at - 1]! <= space) at--
  return at
}

/** The hash of a record as the kernel wrote it: the escapes of /dev/kmsg are decoded first. */
function hashOf({ bytes, view, kmsg }: Values, start: number, end: number): number {
  if (!kmsg) return recordHash(bytes, view, start, end)
  const plain = valueBytes(bytes, start, end, form.quoted, true)
  const { buffer, byteOffset, byteLength } = plain.bytes
  return recordHash(plain.bytes, new DataView(buffer, byteOffset, byteLength), plain.start, plain.end)
}

/** Puts the part of `timestamp` after the second, and `id`, for a record that has an audit id and ends at `end`. */
export function putAuditMark(values: Values, id: AuditId, time: EventTime, end: number): void {
  const { output, bytes, view } = values
  const out = output.view
  let at = output.length
  // The kernel writes a dot and three digits, which are one word.
  if (id.fractionEnd - id.fractionStart === 4) {
    out.setInt32(at, view.getInt32(id.fractionStart, true), true)
    at += 4
  } else at = writeRange(output, at, bytes, view, id.fractionStart, id.fractionEnd)
  at = writeFragment(output, at, time.auditKey(id.epoch))
  at = writeRange(output, at, bytes, view, id.start, id.end)
  putHash(output, at, hashOf(values, id.body, end))
}

/** Like putAuditMark(), for a BPF record. */
export function putRecordMark(
  { output, bytes, view }: Values,
  when: RecordTime,
  time: EventTime,
  start: number,
  end: number,
): void {
  putNanoseconds(output, when.epochNs)
  putFragment(output, time.bpfKey)
  putNumber(output, when.uptime)
  putNanoseconds(output, when.uptimeNs)
  putHash(output, output.length, recordHash(bytes, view, start, end))
}

const recordTime = new RecordTime()

/**
 * The `id` of a BPF record as text.
 * @param key the beginning of the ids of this boot: all text before the seconds
 */
export function recordId(key: string, bytes: Uint8Array, view: DataView, start: number, end: number): string {
  recordTime.read(view, start + header.at.time)
  const hash = (recordHash(bytes, view, start, end) >>> 0).toString(16).padStart(8, '0')
  return `${key}${recordTime.uptime}.${String(recordTime.uptimeNs).padStart(9, '0')}-${hash}`
}

/** Like putAuditMark(), for a record without a readable id, whose time is in whole seconds. */
export function putRawMark({ output, bytes, view }: Values, key: Fragment, start: number, end: number): void {
  putFragment(output, key)
  output.length = writeHash(output.view, output.length, recordHash(bytes, view, start, end, 1))
  putHash(output, output.length, recordHash(bytes, view, start, end))
}

/** Puts a dash, the hash, and the closing quote of the id. */
function putHash(output: Output, start: number, hash: number): void {
  output.buffer[start] = dash
  const at = writeHash(output.view, start + 1, hash)
  output.buffer[at] = quote
  output.length = at + 1
}

/** Puts a dot and nine digits. */
function putNanoseconds(output: Output, nanoseconds: number): void {
  const { buffer, view, length } = output
  buffer[length] = dot
  let rest = nanoseconds
  for (let at = length + 8; at > length + 1; at -= 2) {
    const hundredth = (rest / 100) | 0
    view.setUint16(at, decimalPairs[rest - hundredth * 100]!, true)
    rest = hundredth
  }
  buffer[length + 1] = 0x30 + rest
  output.length = length + 10
}
