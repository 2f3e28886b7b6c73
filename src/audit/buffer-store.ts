/**
 * Memory that travels between the threads and comes back. New memory for each batch costs more than the work on it: its
 * pages have to be made, and the garbage collectors of both threads run for it (bench/pipeline: a third of the time).
 */
export class BufferStore {
  #spare: ArrayBuffer[] = []
  #limit: number
  #largest: number

  /**
   * @param limit buffers that are kept.
   * @param largest bytes beyond which a buffer is not worth keeping.
   */
  constructor(limit: number, largest: number) {
    this.#limit = limit
    this.#largest = largest
  }

  /** One that is kept, of whatever size. */
  any(): ArrayBuffer | undefined {
    return this.#spare.pop()
  }

  /** One that has at least so many bytes. */
  atLeast(bytes: number): ArrayBuffer {
    const kept = this.#spare.pop()
    return kept !== undefined && kept.byteLength >= bytes ? kept : new ArrayBuffer(bytes + (bytes >> 3))
  }

  /** Takes one back. Nobody else may use it any more. */
  give(buffer: ArrayBufferLike): void {
    const fits = buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength <= this.#largest
    if (fits && this.#spare.length < this.#limit) this.#spare.push(buffer)
  }
}
