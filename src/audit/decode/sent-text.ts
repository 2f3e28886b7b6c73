import * as bytes from '../../base/bytes.ts'

const { space } = bytes
const apostrophe = 0x27
/** The byte that auditd puts between a record and its interpretation. */
const enrichment = 0x1d
const zero = 0x30

/** Maximum digits of a pid. */
const maxDigits = 10

/** The sender of a record, which comes from the kernel, and the text that the sender chose. */
export class SentText {
  /** The sender's pid; 0 if the record does not contain it. */
  pid = 0
  /** Offsets of the text in single quotes; empty without such a text. */
  start = 0
  end = 0
}

/**
 * Reads `pid=1692 uid=103 auid=… ses=… subj=… msg='…'` (kernel/audit.c, audit_log_common_recv_msg()). The kernel writes
 * the sender's pid in the node's pid namespace. The sender chooses everything between the first ` msg='` and the last
 * quote. This text may contain quotes, line ends and further records.
 * @param at offset after the audit id
 */
export function readSentText(bytes: Uint8Array, at: number, end: number, sent: SentText): void {
  sent.pid = senderOf(bytes, at, end)
  sent.start = end
  sent.end = end
  const start = behindMsg(bytes, at - 1, end)
  if (start === -1) return
  sent.start = start
  sent.end = lastQuote(bytes, start, end)
}

function senderOf(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 >= end || bytes[start] !== 0x70 || bytes[start + 1] !== 0x69 || bytes[start + 2] !== 0x64) return 0
  if (bytes[start + 3] !== 0x3d) return 0
  let pid = 0
  let at = start + 4
  for (; at < end && at - start < 4 + maxDigits; at++) {
    const digit = bytes[at]! - zero
    if (digit < 0 || digit > 9) break
    pid = pid * 10 + digit
  }
  return at < end && bytes[at] === space ? pid : 0
}

/** The offset after the first ` msg='`. The kernel's pairs come before it and cannot contain ` msg='`. */
function behindMsg(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at + 6 <= end; at++)
    if (
      bytes[at] === space &&
      bytes[at + 1] === 0x6d &&
      bytes[at + 2] === 0x73 &&
      bytes[at + 3] === 0x67 &&
      bytes[at + 4] === 0x3d &&
      bytes[at + 5] === apostrophe
    )
      return at + 6
  return -1
}

/**
 * The end of the sent text: its last quote, or the end of the record if a log or printk cut off the quote. The last
 * byte 0x1d starts auditd's interpretation, which is not part of the text.
 */
function lastQuote(bytes: Uint8Array, start: number, end: number): number {
  let stop = end
  for (let at = end - 1; at >= start; at--) {
    if (bytes[at] === apostrophe) return at
    if (bytes[at] === enrichment) stop = at
  }
  return stop
}
