import * as bytes from '../../base/bytes.ts'
import { isAuditId } from './audit-id.ts'

const { quote, space } = bytes

/** Types of audit records that can be violations (include/uapi/linux/audit.h). All other types are `other`. */
export const recordType = { other: 0, userAvc: 1107, seccomp: 1326, avc: 1400 } as const

/**
 * Which lines of a source count as records. `kernel`: lines of the kernel, of auditd, and of this node's syslog daemon.
 * `given`, for a file from a user: also lines with grep's prefixes, of dbus-daemon's log, and of old kernels.
 */
export type Trust = 'kernel' | 'given'

/**
 * Whether a process with CAP_AUDIT_WRITE may send records of the type (kernel/audit.c, audit_netlink_ok()). Only the
 * kernel creates records of all other types.
 */
const isSentByProcess = (type: number): boolean =>
  type === 1005 || (type >= 1100 && type <= 1199) || (type >= 2100 && type <= 2999)

/** AppArmor's types before Linux 2.6.36, 1501 (audit) to 1506 (error). */
const isOldAppArmor = (type: number): boolean => type >= 1501 && type <= 1506

/** Numbers of rare types. typeOfName() recognises frequent types by their bytes. */
const names: Readonly<Record<string, number>> = {
  APPARMOR_AUDIT: 1501,
  APPARMOR_ALLOWED: 1502,
  APPARMOR_DENIED: 1503,
  APPARMOR_HINT: 1504,
  APPARMOR_STATUS: 1505,
  APPARMOR_ERROR: 1506,
}

const colon = 0x3a
const semicolon = 0x3b
const equals = 0x3d
const openSquare = 0x5b
const closeSquare = 0x5d
const openAngle = 0x3c
const closeAngle = 0x3e

/** The place of a record in its line. */
export class RecordPlace {
  type: number = recordType.other
  /** Offset of the record's `audit(`; -1 if the record does not contain it. */
  audit = -1
  /** Offset of the pairs of a record without `audit(`. */
  body = -1
  /** Whether the kernel's message is a record that a process sent. The record may have any type. */
  sent = false
  /** Whether the message is in the kernel's log, to which netfilter also writes. */
  printed = false
  /**
   * Offsets of a kernel message's time stamp in square brackets, in a syslog or dmesg output; empty without a stamp.
   */
  stampStart = 0
  stampEnd = 0

  clear(): void {
    this.type = recordType.other
    this.audit = -1
    this.body = -1
    this.sent = false
    this.printed = false
    this.stampStart = 0
    this.stampEnd = 0
  }
}

function startsWith(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (at + text.length > end) return false
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

const isTypeKey = (bytes: Uint8Array, at: number, end: number): boolean =>
  at + 5 <= end &&
  bytes[at] === 0x74 &&
  bytes[at + 1] === 0x79 &&
  bytes[at + 2] === 0x70 &&
  bytes[at + 3] === 0x65 &&
  bytes[at + 4] === equals

/**
 * Finds the record in a line of audit.log, kern.log, syslog or dmesg, or of the netlink addon. A line that starts with
 * `type=` or `node=` comes from the addon or from auditd, which replaces line ends. A line of a syslog daemon starts
 * with a date, which other programs cannot choose.
 */
export function locateRecord(bytes: Uint8Array, start: number, end: number, trust: Trust, place: RecordPlace): void {
  place.clear()
  if (isTypeKey(bytes, start, end)) readType(bytes, start, end, place)
  else if (startsWith(bytes, start, end, 'node=')) readType(bytes, afterBlank(bytes, start, end), end, place)
  else if (bytes[start] === openSquare) locateInKernelMessage(bytes, start, end, trust, place)
  else locateBehindTag(bytes, start, end, trust, place)
}

/**
 * Finds the record in a line of /dev/kmsg, `priority,sequence,usec,flags;text`. A priority below 8 means facility 0,
 * which only the kernel can use: in a message of a process, the kernel replaces facility 0 (kernel/printk/printk.c,
 * devkmsg_write()) and escapes line ends.
 */
export function locateKmsgRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  trust: Trust,
  place: RecordPlace,
): void {
  place.clear()
  if (bytes[start]! < 0x30 || bytes[start]! > 0x37 || bytes[start + 1] !== 0x2c) return
  const text = bytes.indexOf(semicolon, start)
  if (text !== -1 && text < end) locateInKernelText(bytes, text + 1, end, trust, place)
}

/**
 * Finds the record in a syslog line, which starts with date, host and tag. Lines without the kernel's tag are ignored,
 * because any program may quote a record. A process with access to /dev/log can use the kernel's tag with most daemons,
 * but containers do not have the host's /dev/log.
 */
function locateBehindTag(bytes: Uint8Array, start: number, end: number, trust: Trust, place: RecordPlace): void {
  let tag = start
  let words = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte === space) {
      if (at > tag) words++
      tag = at + 1
    } else if (byte === colon && isTagEnd(bytes, at, end)) {
      const inPlace = trust === 'given' || words <= mostWords(bytes, start, tag, end)
      if (inPlace) locateBehind(bytes, tag, at + 1, end, trust, place)
      return
    } else if (byte === equals && isTypeKey(bytes, at - 4, end)) {
      if (trust === 'given') locateAfterFileName(bytes, at - 4, end, place)
      return
    }
  }
}

const isTagEnd = (bytes: Uint8Array, at: number, end: number): boolean => at + 1 === end || bytes[at + 1] === space

/**
 * Maximum words before the tag: `2025-02-24T03:04:42Z host` or `Feb 24 03:04:42 host`, and with busybox also the
 * facility. A tag after more words is part of a program's text.
 */
function mostWords(bytes: Uint8Array, start: number, tag: number, end: number): number {
  const at = bytes[start] === openAngle ? behindByte(bytes, start, end, closeAngle) : start
  const words = bytes[at]! >= 0x30 && bytes[at]! <= 0x39 ? 2 : 4
  return endsWith(bytes, tag, 'kern.notice ') ? words + 1 : words
}

/** Finds the record in a line of grep, which puts the file's name and a colon before the line. */
function locateAfterFileName(bytes: Uint8Array, at: number, end: number, place: RecordPlace): void {
  if (bytes[at - 1] === colon) readType(bytes, at, end, place)
}

function locateBehind(
  bytes: Uint8Array,
  tag: number,
  behind: number,
  end: number,
  trust: Trust,
  place: RecordPlace,
): void {
  if (startsWith(bytes, tag, end, 'kernel:') || startsWith(bytes, tag, end, 'kern.notice:')) {
    locateInKernelMessage(bytes, behind, end, trust, place)
  } else if (startsWith(bytes, tag, end, 'dbus')) locateDbus(bytes, behind, end, place)
  else if (trust === 'given' && (startsWith(bytes, tag, end, 'audit:') || endsWith(bytes, behind, '>audit:')))
    locateInKernelText(bytes, behind, end, trust, place)
}

function endsWith(bytes: Uint8Array, end: number, text: string): boolean {
  return startsWith(bytes, end - text.length, end, text)
}

/** Finds the record in a kernel message, and its stamp: in a log, several lines may belong to one message. */
function locateInKernelMessage(bytes: Uint8Array, at: number, end: number, trust: Trust, place: RecordPlace): void {
  readStamp(bytes, at, end, place)
  locateInKernelText(bytes, at, end, trust, place)
}

function readStamp(bytes: Uint8Array, behind: number, end: number, place: RecordPlace): void {
  let at = behind
  while (at < end && bytes[at] === space) at++
  if (bytes[at] !== openSquare) return
  place.stampStart = at
  place.stampEnd = Math.min(end, behindByte(bytes, at, end, closeSquare))
}

/** Finds the record in a line of dbus-daemon. Without auditd, it logs its denials itself, without type and audit id. */
function locateDbus(bytes: Uint8Array, at: number, end: number, place: RecordPlace): void {
  while (at < end && bytes[at] === space) at++
  if (!startsWith(bytes, at, end, 'apparmor=')) return
  place.type = recordType.userAvc
  place.body = at
}

/**
 * Finds the record in a kernel message, which consists of time stamps and thread ids in square brackets, `audit:`, type
 * and id. Every kernel that can run our BPF programs writes `audit:`.
 */
function locateInKernelText(bytes: Uint8Array, start: number, end: number, trust: Trust, place: RecordPlace): void {
  let at = start
  let named = trust === 'given'
  while (at < end) {
    const byte = bytes[at]!
    if (byte === space) at++
    else if (byte === openSquare) at = behindByte(bytes, at, end, closeSquare)
    else if (startsWith(bytes, at, end, 'audit: ')) {
      at += 7
      named = true
    } else break
  }
  if (!named) return
  place.printed = true
  if (isTypeKey(bytes, at, end)) readType(bytes, at, end, place)
  else if (trust === 'given' && isAuditId(bytes, at, end)) {
    place.type = recordType.avc
    place.audit = at
  }
}

/** Reads `type=1400 audit(`, `type=AVC msg=audit(` or `type=UNKNOWN[1503] msg=audit(` at `at`. */
function readType(bytes: Uint8Array, at: number, end: number, place: RecordPlace): void {
  if (!isTypeKey(bytes, at, end)) return
  const start = at + 5
  let value = 0
  let i = start
  for (; i < end && bytes[i]! >= 0x30 && bytes[i]! <= 0x39 && value < 10_000; i++) value = value * 10 + bytes[i]! - 0x30
  if (i === start) i = behindName(bytes, start, end)
  const type = bytes[start]! <= 0x39 ? value : typeOfName(bytes, start, i)
  place.sent = isSentByProcess(type)
  if (!isViolationType(type) || i >= end || bytes[i] !== space) return
  if (startsWith(bytes, ++i, end, 'msg=')) i += 4
  place.type = type
  if (isAuditId(bytes, i, end)) place.audit = i
}

const isViolationType = (type: number): boolean =>
  type === recordType.avc || type === recordType.seccomp || type === recordType.userAvc || isOldAppArmor(type)

function behindName(bytes: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && bytes[i] !== space && bytes[i] !== quote) i++
  return i
}

/** The type with this name. For speed, it creates a string only if the name starts like the name of a rare type. */
function typeOfName(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  const first = bytes[start]
  if (length === 3) return isAvc(bytes, start) ? recordType.avc : recordType.other
  if (first === 0x53) return startsWith(bytes, start, end, 'SECCOMP') ? recordType.seccomp : recordType.other
  const second = bytes[start + 1]
  if (length > 16 || !((first === 0x41 && second === 0x50) || (first === 0x55 && second !== 0x53)))
    return startsWith(bytes, start, end, 'USER_AVC') ? recordType.userAvc : recordType.other
  const name = String.fromCharCode(...bytes.subarray(start, end))
  return names[name] ?? unknownType(name)
}

const isAvc = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0x41 && bytes[at + 1] === 0x56 && bytes[at + 2] === 0x43

/** auditd writes `UNKNOWN[1503]` for types that it does not know. */
function unknownType(name: string): number {
  return name.startsWith('UNKNOWN[') && name.endsWith(']') ? Number(name.slice(8, -1)) : recordType.other
}

function afterBlank(bytes: Uint8Array, at: number, end: number): number {
  return behindByte(bytes, at, end, space)
}

function behindByte(bytes: Uint8Array, at: number, end: number, byte: number): number {
  let i = at
  while (i < end && bytes[i] !== byte) i++
  return i + 1
}
