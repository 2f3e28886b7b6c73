import * as bytes from '../../base/bytes.ts'
import { isSpecial } from './byte-kinds.ts'
import { form, type RecordFields } from './record-fields.ts'
import { noSlot, type RecordSchema } from './record-schema.ts'

const { quote, space } = bytes
const apostrophe = 0x27
const minus = 0x2d
const equals = 0x3d
/** The byte that auditd puts between a record and its interpretation (`AUID="root" …`). */
const enrichment = 0x1d

const digit = 1
const upperHex = 2
const kinds = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x30 && byte <= 0x39 ? digit | upperHex : byte >= 0x41 && byte <= 0x46 ? upperHex : 0,
)

const isUpper = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a

/**
 * Reads `key=value` pairs from `start` to `end` into `fields`. A value in quotes ends at the next quote, because the
 * kernel writes a name that contains a quote as hex. Any other value ends at the next space.
 */
export function scanFields(
  schema: RecordSchema,
  bytes: Uint8Array,
  start: number,
  end: number,
  fields: RecordFields,
): void {
  fields.clear()
  fields.end = end
  let at = start
  while (at < end) {
    const first = bytes[at]!
    if (first <= space || first === apostrophe) {
      if (first === enrichment) {
        fields.end = at
        return
      }
      at++
      continue
    }
    const keyStart = at
    let hash = 0
    let byte = first
    while (byte > space && byte !== equals) {
      hash = (Math.imul(hash, 31) + byte) | 0
      byte = ++at < end ? bytes[at]! : space
    }
    if (byte !== equals) continue // a word without a value
    const keyEnd = at++
    const slot = schema.slotOf(hash, bytes, keyStart, keyEnd)
    if (at < end && bytes[at] === quote) {
      const valueStart = ++at
      let odd = 0
      // Not indexOf: the loop also finds special bytes, and values are short.
      for (; at < end; at++) {
        byte = bytes[at]!
        if (byte === quote) break
        odd |= isSpecial[byte]!
      }
      if (at === end) fields.truncated = true
      const written = odd === 0 && at < end ? form.plain : form.quoted
      if (slot === noSlot || schema.isNumber[slot] === 1)
        addExtra(bytes, keyStart, keyEnd, valueStart, at, written, fields)
      else fields.set(slot, valueStart, at, written)
      at++
    } else if (slot !== noSlot && slot === schema.subject) at = readSubject(bytes, at, end, slot, fields)
    else at = readBare(schema, bytes, keyStart, at, end, slot, fields)
  }
}

/**
 * Adds a pair without a field. A pair whose key has capitals is auditd's interpretation, in a log that has lost the
 * byte before it; such a pair is not added.
 */
function addExtra(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  start: number,
  end: number,
  written: number,
  fields: RecordFields,
): void {
  if (!isUpper(bytes[keyStart]!)) fields.addExtra(keyStart, keyEnd, start, end, written)
}

/**
 * Reads a security context, which may contain spaces: `varmor-demo (enforce)`. The context ends before the last ` pid=`
 * of the record, because later values are in quotes or hex and cannot contain ` pid=`. Some kernels write the `=`
 * twice, and auditd adds quotes.
 */
function readSubject(bytes: Uint8Array, valueStart: number, end: number, slot: number, fields: RecordFields): number {
  const start = bytes[valueStart] === equals ? valueStart + 1 : valueStart
  let stop = end - 5
  while (stop >= start && !(bytes[stop] === space && isPid(bytes, stop + 1))) stop--
  if (stop < start) for (stop = start; stop < end && bytes[stop]! > space; ) stop++
  fields.set(slot, start, stop, form.bare)
  return stop
}

const isPid = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0x70 && bytes[at + 1] === 0x69 && bytes[at + 2] === 0x64 && bytes[at + 3] === equals

/** Maximum digits of a number that the kernel prints. */
const maxDigits = 20

function readBare(
  schema: RecordSchema,
  bytes: Uint8Array,
  keyStart: number,
  valueStart: number,
  end: number,
  slot: number,
  fields: RecordFields,
): number {
  let at = valueStart
  const isNumber = slot !== noSlot && schema.isNumber[slot] === 1
  if (isNumber) {
    if (slot === schema.signed && bytes[at] === minus) at++
    const start = at
    while (at < end && (kinds[bytes[at]!]! & digit) !== 0) at++
    if (at > start && at - start <= maxDigits) {
      fields.set(slot, withoutZeros(bytes, start, at), at, form.digits)
      return at
    }
    at = valueStart
  }
  let common = digit | upperHex
  for (; at < end; at++) {
    const byte = bytes[at]!
    if (byte <= space || byte === apostrophe) break
    common &= kinds[byte]!
  }
  if (slot === noSlot || isNumber) addExtra(bytes, keyStart, valueStart - 1, valueStart, at, form.bare, fields)
  else fields.set(slot, valueStart, at, bareForm(schema, common, at - valueStart, slot))
  return at
}

/** The offset after leading zeros, which JSON does not allow. */
function withoutZeros(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end - 1 && bytes[at] === 0x30) at++
  return at
}

const bareForm = (schema: RecordSchema, common: number, length: number, slot: number): number =>
  common !== 0 && length > 0 && length % 2 === 0 && schema.isUntrusted[slot] === 1 ? form.hex : form.bare
