import { mebibyte } from '../../src/base/bytes.ts'
import type { Room } from '../../src/model/behaviour/room.ts'

/** Of all recordings of a node; with an agent at rest and what saving one takes, it is within the memory that the chart gives an agent. */
const ALL = 48 * mebibyte
/** Bytes of a recording that it is to have though others are large; one of a real service takes some 100 KiB. */
const SMALL = mebibyte / 4

/**
 * The memory for the recordings of a node. No namespace has more than a quarter of it. Of three quarters, a namespace may take as much as it leaves
 * free, so that there is some for the next one whoever came before; the last quarter is for recordings that are small.
 */
export class NodeRoom {
  readonly #all: number
  readonly #small: number
  readonly #byNamespace = new Map<string, number>()
  readonly #byKey = new Map<string, RecordingRoom>()
  #taken = 0
  #restoring = false

  constructor(all = ALL, small = SMALL) {
    this.#all = all
    this.#small = small
  }

  get taken(): number {
    return this.#taken
  }

  /** Room for a recording that begins. What an earlier one of the key had is free. */
  begin(key: string): Room {
    this.end(key)
    const namespace = key.slice(0, key.indexOf('/'))
    const room = new RecordingRoom((bytes, own) => this.#take(namespace, bytes, own))
    this.#byKey.set(key, room)
    return room
  }

  /** The recording of the key has gone. */
  end(key: string): void {
    this.#byKey.get(key)?.close()
    this.#byKey.delete(key)
  }

  /** What was let in before is to be let in again in any order: only the bounds for all and for a namespace count. */
  restoring<T>(work: () => T): T {
    this.#restoring = true
    try {
      return work()
    } finally {
      this.#restoring = false
    }
  }

  /** @param own what the recording has before; negative bytes are given back */
  #take(namespace: string, bytes: number, own: number): boolean {
    const ofNamespace = (this.#byNamespace.get(namespace) ?? 0) + bytes
    const taken = this.#taken + bytes
    if (bytes > 0 && !this.#admits(ofNamespace, taken, own + bytes)) return false
    this.#taken = taken
    if (ofNamespace > 0) this.#byNamespace.set(namespace, ofNamespace)
    else this.#byNamespace.delete(namespace)
    return true
  }

  #admits(ofNamespace: number, taken: number, own: number): boolean {
    if (taken > this.#all || ofNamespace > this.#all / 4) return false
    return this.#restoring || own <= this.#small || ofNamespace <= (3 * this.#all) / 4 - taken
  }
}

class RecordingRoom implements Room {
  readonly #takeOf: (bytes: number, own: number) => boolean
  #own = 0
  #closed = false

  constructor(takeOf: (bytes: number, own: number) => boolean) {
    this.#takeOf = takeOf
  }

  take(bytes: number): boolean {
    if (this.#closed || !this.#takeOf(bytes, this.#own)) return false
    this.#own += bytes
    return true
  }

  give(bytes: number): void {
    if (this.#closed) return
    this.#takeOf(-bytes, this.#own)
    this.#own -= bytes
  }

  close(): void {
    this.give(this.#own)
    this.#closed = true
  }
}
