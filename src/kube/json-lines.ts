import { newline } from '../base/bytes.ts'

/** A line exceeds its limit. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong'
}

/**
 * Cuts a stream of bytes into lines. A line and its characters may be spread over several chunks: a line is decoded
 * when it is complete. Stores at most `max` bytes.
 */
export class LineCutter {
  #max: number
  #onLine: (line: string) => void
  #pieces: Uint8Array[] = []
  #held = 0

  constructor(max: number, onLine: (line: string) => void) {
    this.#max = max
    this.#onLine = onLine
  }

  /** Bytes of the incomplete line. */
  get held(): number {
    return this.#held
  }

  /** @throws {LineTooLong} and any error of the line handler */
  push(chunk: Uint8Array): void {
    // A chunk may be a plain Uint8Array. A Buffer over the same memory can decode a range of its bytes.
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      this.#check(end - start)
      const line = this.#held === 0 ? bytes.toString('utf8', start, end) : this.#joined(bytes.subarray(start, end))
      start = end + 1
      if (line !== '') this.#onLine(line)
    }
    if (start === bytes.length) return
    this.#check(bytes.length - start)
    this.#pieces.push(bytes.subarray(start))
    this.#held += bytes.length - start
  }

  #joined(last: Uint8Array): string {
    const line = Buffer.concat([...this.#pieces, last]).toString('utf8')
    this.#pieces = []
    this.#held = 0
    return line
  }

  #check(more: number): void {
    if (this.#held + more > this.#max) throw new LineTooLong(`a line of more than ${this.#max} bytes`)
  }
}
