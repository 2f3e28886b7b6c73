import { Buffer } from 'node:buffer'
import { space } from '../../base/bytes.ts'

const key = Buffer.from(' OUT=')

/**
 * Whether a text of the kernel's log is about a packet. Netfilter begins such a message with a prefix that a rule chooses, of up to
 * 127 bytes, in which a whole record has room. `IN=<device> OUT=<device> ` follows it always (net/netfilter/nf_log_syslog.c,
 * nf_log_dump_packet_common()), and in no record: it writes a value with a blank as hex, and its keys are lower case.
 */
export function isOfPacket(bytes: Uint8Array, start: number, end: number): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start))
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + 1)) {
    const word = text.subarray(text.lastIndexOf(space, at - 1) + 1, at)
    if (word.includes('IN=')) return true
  }
  return false
}
