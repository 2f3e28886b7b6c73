import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { asciiJson } from '../encode/json-text.ts'

/** Maximum bytes of a text in the digest. A longer text is cut here, and a hash follows. */
const max = 256
/** Hexadecimal digits of the hash. */
const hashDigits = 32
/** A text with at most this many characters does not exceed `max`: a JavaScript character takes at most three bytes. */
const surelyShort = Math.floor(max / 3)

/** Limits the length of a text. Because of the hash, different texts stay different. */
export function bounded(text: string): string {
  if (text.length <= surelyShort) return text
  const bytes = Buffer.from(text)
  if (bytes.length <= max) return text
  let end = max
  // Do not cut a UTF-8 character into two parts.
  while ((bytes[end]! & 0xc0) === 0x80) end--
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, hashDigits)
  return `${bytes.toString('utf8', 0, end)}…sha256:${hash}`
}

const texts = /"(?:[^"\\]|\\.)*"/g

/**
 * Limits the length of each text in a line. It does not parse the line as JSON, because JavaScript cannot represent all
 * its numbers exactly.
 */
export function withBoundedTexts(line: Uint8Array): Uint8Array {
  if (line.length <= max) return line
  const before = Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8')
  const after = before.replace(texts, (text) =>
    text.length <= surelyShort ? text : cut(text, bounded(JSON.parse(text) as string)),
  )
  return after === before ? line : Buffer.from(after)
}

const cut = (text: string, short: string): string => (JSON.parse(text) === short ? text : asciiJson(short))
