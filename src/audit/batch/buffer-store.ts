/**
 * Keeps unused memory for reuse. Fresh memory is expensive: the kernel must create its pages, and the garbage
 * collectors of both threads run for it. That is a third of the time in bench/pipeline.
 */
export class BufferStore<B extends ArrayBufferLike> {
  readonly #make: (bytes: number) => B
  readonly #limit: number
  readonly #largest: number
  #spare: B[] = []

  /**
   * @param make creates memory of the given number of bytes
   * @param limit maximum number of kept buffers
   * @param largest maximum bytes of a kept buffer; larger buffers go to the garbage collector
   */
  constructor(make: (bytes: number) => B, limit: number, largest: number) {
    this.#make = make
    this.#limit = limit
    this.#largest = largest
  }

  /** A kept buffer of any size. */
  any(): B | undefined {
    return this.#spare.pop()
  }

  /** A buffer of at least this many bytes. */
  atLeast(bytes: number): B {
    const kept = this.#spare.pop()
    return kept !== undefined && kept.byteLength >= bytes ? kept : this.#make(bytes + (bytes >> 3))
  }

  /** Takes a buffer back. The caller must no longer use it. */
  give(buffer: B): void {
    const fits = buffer.byteLength > 0 && buffer.byteLength <= this.#largest
    if (fits && this.#spare.length < this.#limit) this.#spare.push(buffer)
  }
}

/**
 * Memory that threads share: one thread writes, others read. Copying into it is slower than into other memory, because
 * V8 copies word by word: five times as long for 700 bytes, measured.
 */
export const sharedMemory = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)
