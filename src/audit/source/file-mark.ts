import { hash } from 'node:crypto'

/** Maximum bytes that identify a file: its first bytes, and the bytes before a position. */
export const markBytes = 1_024

/** A digest of some bytes of a file. The checkpoint stores digests, so that it does not contain text of the log. */
export interface Sum {
  length: number
  sum: string
}

export const noSum: Sum = { length: 0, sum: '' }

export function sumOf(bytes: Uint8Array): Sum {
  return bytes.length === 0 ? noSum : { length: bytes.length, sum: hash('sha256', bytes, 'base64') }
}

/** Whether all bytes are NULs. Such bytes are a hole, and cannot identify a file. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/**
 * A file's first bytes, and the bytes before the current position. They identify the file. Inode numbers do not: they
 * are reused, and a truncated file keeps its number.
 */
export class FileMark {
  #head: Buffer
  #tail: Buffer
  #headSum: Sum | undefined

  constructor(head: Uint8Array, tail: Uint8Array) {
    this.#head = Buffer.from(head)
    this.#tail = Buffer.from(tail)
  }

  /** The last bytes before the position, at most `markBytes`. */
  get tail(): Buffer {
    return this.#tail
  }

  /** Moves the position over `bytes`, which are copied. */
  advance(bytes: Uint8Array): void {
    if (this.#head.length < markBytes) {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, markBytes - this.#head.length)])
      this.#headSum = undefined
    }
    const last = bytes.subarray(-markBytes)
    this.#tail = last.length === markBytes ? Buffer.from(last) : lastOf(Buffer.concat([this.#tail, last]))
  }

  sums(): { head: Sum; tail: Sum } {
    this.#headSum ??= isBlank(this.#head) ? noSum : sumOf(this.#head)
    return { head: this.#headSum, tail: sumOf(this.#tail) }
  }
}

const lastOf = (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(-markBytes))
