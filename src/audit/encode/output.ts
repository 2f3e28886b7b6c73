import { Buffer } from 'node:buffer'

/** Constant ASCII bytes, also stored as words of eight bytes. Every constant part of a line is a fragment. */
export interface Fragment {
  readonly bytes: Uint8Array
  /** The same bytes as doubles; the last word is padded with NUL. */
  readonly words: Float64Array
  readonly length: number
  readonly text: string
}

export const isAscii = (text: string): boolean => Buffer.byteLength(text, 'utf8') === text.length

/** Creates a fragment of ASCII text. Escape other characters first (encode/json-text.ts). */
export function fragment(text: string): Fragment {
  if (!isAscii(text)) throw new Error(`not ASCII: ${JSON.stringify(text)}`)
  const padded = new Uint8Array((text.length + 7) & ~7)
  Buffer.from(padded.buffer).write(text, 'latin1')
  return { bytes: padded.subarray(0, text.length), words: new Float64Array(padded.buffer), length: text.length, text }
}

/**
 * A growing buffer of output bytes. Call `room()` before a line, because the put functions do not check for room. A put
 * function may write up to seven bytes beyond its text, for which `slack` keeps room. The next text overwrites them.
 */
export class Output {
  buffer: Uint8Array
  view: DataView
  length = 0

  readonly #make: (bytes: number) => ArrayBufferLike

  /**
   * @param spare memory to use if it is large enough
   * @param make creates memory of the given number of bytes
   */
  constructor(capacity: number, spare?: ArrayBufferLike, make: (bytes: number) => ArrayBufferLike = unshared) {
    const fits = spare !== undefined && spare.byteLength >= capacity + slack
    this.#make = make
    this.buffer = new Uint8Array(fits ? spare : make(capacity + slack))
    this.view = new DataView(this.buffer.buffer)
  }

  /** Makes room for this many further bytes. */
  room(bytes: number): void {
    const needed = this.length + bytes + slack
    if (needed <= this.buffer.length) return
    const grown = new Uint8Array(this.#make(Math.max(needed, this.buffer.length * 2)))
    grown.set(this.buffer.subarray(0, this.length))
    this.buffer = grown
    this.view = new DataView(grown.buffer)
  }

  /** Returns all bytes without a copy. The caller now owns the buffer. */
  take(): Uint8Array {
    return new Uint8Array(this.buffer.buffer, 0, this.length)
  }
}

const slack = 16

/** Creates memory that is not zeroed, outside of Node's pool for small buffers. */
const unshared = (bytes: number): ArrayBufferLike => Buffer.allocUnsafeSlow(bytes).buffer

/**
 * Writes a fragment at `at`, word by word, because a native copy into shared memory is slower. Write functions return
 * the next offset. Measured, a chain of calls then keeps the offset in a register, unlike an offset in the Output.
 * Doubles do not change ASCII: eight bytes below 0x80 are never a NaN.
 */
export function writeFragment(output: Output, at: number, { length, words }: Fragment): number {
  const { view } = output
  let word = 0
  let to = at
  // Measured: four words per round are a fifth faster than two, and two words are a quarter faster than one.
  for (; (word + 4) << 3 <= length; word += 4, to += 32) {
    const first = words[word]!
    const second = words[word + 1]!
    const third = words[word + 2]!
    const fourth = words[word + 3]!
    view.setFloat64(to, first, true)
    view.setFloat64(to + 8, second, true)
    view.setFloat64(to + 16, third, true)
    view.setFloat64(to + 24, fourth, true)
  }
  if ((word + 2) << 3 <= length) {
    view.setFloat64(to, words[word]!, true)
    view.setFloat64(to + 8, words[word + 1]!, true)
    word += 2
    to += 16
  }
  for (; word << 3 < length; word++, to += 8) view.setFloat64(to, words[word]!, true)
  return at + length
}

/** Writes the bytes from `start` to `end` of `bytes` unchanged. */
export function writeRange(
  output: Output,
  at: number,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): number {
  const out = output.view
  let to = at
  // Not doubles, because the bytes may have any value. Words may read past `end`, but not past the buffer.
  let from = start
  for (const safe = Math.min(end, bytes.length - 3); from < safe; from += 4, to += 4)
    out.setInt32(to, view.getInt32(from, true), true)
  for (; from < end; from++, to++) output.buffer[to] = bytes[from]!
  return at + end - start
}

export function putFragment(output: Output, text: Fragment): void {
  output.length = writeFragment(output, output.length, text)
}

export function putRange(output: Output, bytes: Uint8Array, view: DataView, start: number, end: number): void {
  output.length = writeRange(output, output.length, bytes, view, start, end)
}

export function putByte(output: Output, byte: number): void {
  output.buffer[output.length++] = byte
}

/** Puts a whole number from 0 to 2^53 - 1 in decimal. */
export function putNumber(output: Output, value: number): void {
  let digits = 1
  for (let power = 10; power <= value; power *= 10) digits++
  let at = output.length + digits
  output.length = at
  const { buffer } = output
  let rest = value
  while (rest > 0x7fff_ffff) {
    const tenth = Math.floor(rest / 10)
    buffer[--at] = 0x30 + (rest - tenth * 10)
    rest = tenth
  }
  do {
    const tenth = (rest / 10) | 0
    buffer[--at] = 0x30 + (rest - tenth * 10)
    rest = tenth
  } while (rest > 0)
}
