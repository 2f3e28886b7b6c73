import { Buffer } from 'node:buffer'
import { space } from '../../base/bytes.ts'

const key = Buffer.from(' OUT=')

/**
 * Whether a text of the kernel's log is about a packet. A netfilter rule can choose a prefix of 127 bytes that looks
 * like a record. After the prefix, netfilter writes `IN=<device> OUT=<device> ` (net/netfilter/nf_log_syslog.c). A
 * record never contains this text: its keys are in lower case, and values with spaces are hex.
 */
export function isOfPacket(bytes: Uint8Array, start: number, end: number): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start))
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + 1)) {
    const word = text.subarray(text.lastIndexOf(space, at - 1) + 1, at)
    if (word.includes('IN=')) return true
  }
  return false
}
