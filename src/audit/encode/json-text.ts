import * as bytes from '../../base/bytes.ts'
import { type Output, putByte } from './output.ts'

const { quote } = bytes

/** A value as JSON in ASCII. Unpaired surrogates become U+FFFD, because they are not characters. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/\\(?:u(d[89a-f]..)|.)/g, (whole, half: string | undefined) => (half === undefined ? whole : '\\ufffd'))
    .replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const backslash = 0x5c
const hexDigits = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

/** For each byte with a two-character escape, the second character of the escape. */
const shortEscapes = new Uint8Array(128)
for (const [byte, letter] of ['"', '\\', 'b', 'f', 'n', 'r', 't'].map(
  (letter) => [JSON.parse(`"\\${letter}"`).charCodeAt(0) as number, letter.charCodeAt(0)] as const,
))
  shortEscapes[byte] = letter

function putUnicodeEscape(output: Output, unit: number): void {
  putByte(output, backslash)
  putByte(output, 0x75)
  for (let shift = 12; shift >= 0; shift -= 4) putByte(output, hexDigits[(unit >> shift) & 15]!)
}

/**
 * Length of the UTF-8 character at `at`. It is 0 if the bytes are not well-formed UTF-8: incomplete, overlong, a
 * surrogate, or beyond U+10FFFF (Unicode 15, table 3-7).
 */
function characterLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  const length = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  if (length === 0 || at + length > end) return 0
  const second = bytes[at + 1]!
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return 0
  for (let next = at + 2; next < at + length; next++) if ((bytes[next]! & 0xc0) !== 0x80) return 0
  return length
}

function putAscii(output: Output, byte: number): void {
  const short = shortEscapes[byte]!
  if (short !== 0) {
    putByte(output, backslash)
    putByte(output, short)
  } else if (byte < 0x20 || byte === 0x7f) putUnicodeEscape(output, byte)
  else putByte(output, byte)
}

/**
 * Puts bytes as a quoted JSON string. Control characters are escaped, because terminals execute them. Each byte that is
 * not part of a UTF-8 character becomes U+FFFD.
 * @param reserve room needed after the string
 * @returns whether the string contains such a U+FFFD, and so does not show all bytes
 */
export function putText(output: Output, bytes: Uint8Array, start: number, end: number, reserve = 0): boolean {
  output.room(6 * (end - start) + 2 + reserve)
  let broken = false
  putByte(output, quote)
  for (let at = start; at < end; ) {
    const byte = bytes[at]!
    if (byte < 0x80) {
      putAscii(output, byte)
      at++
      continue
    }
    const length = characterLength(bytes, at, end)
    if (length === 0) {
      putUnicodeEscape(output, 0xfffd)
      broken = true
      at++
    } else if (length === 2 && byte === 0xc2 && bytes[at + 1]! < 0xa0) {
      putUnicodeEscape(output, bytes[at + 1]!)
      at += 2
    } else for (const next = at + length; at < next; at++) putByte(output, bytes[at]!)
  }
  putByte(output, quote)
  return broken
}

/** Puts bytes as a JSON string of upper-case hexadecimal digits, as the kernel writes untrusted names. */
export function putHex(output: Output, bytes: Uint8Array, start: number, end: number, reserve = 0): void {
  output.room(2 * (end - start) + 2 + reserve)
  putByte(output, quote)
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    putByte(output, upper(hexDigits[byte >> 4]!))
    putByte(output, upper(hexDigits[byte & 15]!))
  }
  putByte(output, quote)
}

const upper = (digit: number): number => (digit > 0x39 ? digit - 0x20 : digit)
