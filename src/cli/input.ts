import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { mebibyte } from '../base/bytes.ts'

/**
 * Maximum bytes of a file, enough for about a thousand policies. It limits the time and memory that a wrong file name
 * costs.
 */
export const MAX_INPUT_BYTES = 4 * mebibyte

/** The input cannot be read as text. The message gives the reason, without the name of the file. */
export class InputError extends Error {}

/**
 * The text of a file, or of standard input for `-`.
 * @param max maximum bytes
 * @throws {InputError}
 */
export async function readText(file: string, max = MAX_INPUT_BYTES): Promise<string> {
  const stream = file === '-' ? process.stdin : createReadStream(file)
  return decode(await readBytes(stream, max))
}

async function readBytes(stream: Readable, max: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      chunks.push(chunk)
      size += chunk.length
      if (size > max) throw new InputError(`is larger than ${max / mebibyte} MiB`)
    }
  } catch (error) {
    throw error instanceof InputError ? error : new InputError(reasonOf(error))
  }
  return Buffer.concat(chunks)
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'is a directory; name the files in it',
  EACCES: 'cannot be read: permission denied',
}

/** Whether this is an error of the operating system, and not a bug. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error

/** The text about a system error for users. */
export function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasons[code] ?? `cannot be read: ${message}`
}

/** @throws {InputError} */
export function decode(bytes: Buffer): string {
  if (bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))) {
    throw new InputError('is UTF-16; save it as UTF-8')
  }
  const nul = bytes.indexOf(0)
  if (nul >= 0)
    throw new InputError(`line ${lineAt(bytes, nul)} contains a NUL byte, so this is not YAML: is it a binary file?`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) // Drops a byte order mark.
  } catch {
    throw new InputError(`line ${lineAt(bytes, firstBroken(bytes))} is not UTF-8`)
  }
}

function lineAt(bytes: Buffer, offset: number): number {
  let line = 1
  for (let at = bytes.indexOf(10); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1)) line++
  return line
}

/**
 * Offset of the first invalid byte: the first difference from the re-encoded text, in which invalid parts are replaced.
 */
function firstBroken(bytes: Buffer): number {
  const repaired = Buffer.from(bytes.toString('utf8'))
  let at = 0
  while (at < bytes.length && bytes[at] === repaired[at]) at++
  return at
}
