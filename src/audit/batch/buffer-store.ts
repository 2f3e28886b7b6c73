/**
 * Keeps unused memory for reuse. Fresh memory takes a third of the time in bench/pipeline, because the kernel must
 * create its pages, and the garbage collectors of both threads must free it.
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

  /** Takes out a kept buffer of any size. */
  any(): B | undefined {
    return this.#spare.pop()
  }

  /** Takes out a buffer of at least this many bytes, or creates it. */
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
 * Memory that one thread writes and other threads read. V8 copies into shared memory word by word. Measured with 700
 * bytes, this takes five times as long as copying into other memory.
 */
export const sharedMemory = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)
