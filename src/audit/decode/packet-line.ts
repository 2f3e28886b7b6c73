import { Buffer } from 'node:buffer'
import { space } from '../../base/bytes.ts'

const key = Buffer.from(' OUT=')

/**
 * Whether a kernel log text is about a packet. A netfilter rule chooses a prefix of up to 127 bytes, which can contain
 * a whole record. `IN=<device> OUT=<device> ` always follows the prefix (net/netfilter/nf_log_syslog.c). A record never
 * contains this, because its values with spaces are hex, and its keys are in lower case.
 */
export function isOfPacket(bytes: Uint8Array, start: number, end: number): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start))
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + 1)) {
    const word = text.subarray(text.lastIndexOf(space, at - 1) + 1, at)
    if (word.includes('IN=')) return true
  }
  return false
}
