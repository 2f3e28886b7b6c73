import { Buffer } from 'node:buffer'
import { space } from '../../base/bytes.ts'

const key = Buffer.from(' OUT=')

/**
 * Whether a kernel log text is about a packet. Netfilter starts such a message with a prefix of up to 127 bytes, which
 * a rule chooses and which can contain a whole record. `IN=<device> OUT=<device> ` always follows the prefix
 * (net/netfilter/nf_log_syslog.c, nf_log_dump_packet_common()). A record never contains it, because it writes values
 * with spaces as hex, and keys in lower case.
 */
export function isOfPacket(bytes: Uint8Array, start: number, end: number): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start))
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + 1)) {
    const word = text.subarray(text.lastIndexOf(space, at - 1) + 1, at)
    if (word.includes('IN=')) return true
  }
  return false
}
