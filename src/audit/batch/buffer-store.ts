/**
 * Keeps memory that is not needed any more, so that it is used again. Memory that is new to a thread is expensive: its
 * pages have to be made, and the garbage collectors of both threads run for it (bench/pipeline: a third of the time).
 */
export class BufferStore<B extends ArrayBufferLike> {
  readonly #make: (bytes: number) => B
  readonly #limit: number
  readonly #largest: number
  #spare: B[] = []

  /**
   * @param make new memory of so many bytes
   * @param limit how many are kept.
   * @param largest bytes of one that is kept; larger ones are left to the garbage collector.
   */
  constructor(make: (bytes: number) => B, limit: number, largest: number) {
    this.#make = make
    this.#limit = limit
    this.#largest = largest
  }

  /** One that is kept, of whatever size. */
  any(): B | undefined {
    return this.#spare.pop()
  }

  /** One that has at least so many bytes. */
  atLeast(bytes: number): B {
    const kept = this.#spare.pop()
    return kept !== undefined && kept.byteLength >= bytes ? kept : this.#make(bytes + (bytes >> 3))
  }

  /** Takes one back. Nobody else may use it any more. */
  give(buffer: B): void {
    const fits = buffer.byteLength > 0 && buffer.byteLength <= this.#largest
    if (fits && this.#spare.length < this.#limit) this.#spare.push(buffer)
  }
}

/**
 * Memory that several threads see. For what only one of them writes and others read; copying into it is slower, because
 * V8 does that word by word (for 700 bytes five times as long, measured).
 */
export const sharedMemory = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)
