import { mebibyte } from '../../src/base/bytes.ts'
import type { Quota } from '../../src/model/behaviour/room.ts'

/**
 * Memory limit for all recordings of a node, and for all models that a manager merges. The chart's memory limit is
 * enough for an idle agent, these recordings, and one save.
 */
const ALL = 48 * mebibyte
/**
 * Bytes that a recording may use even if other recordings are large. The recording of a real service takes about 100
 * KiB.
 */
const SMALL = mebibyte / 4

/**
 * Distributes the memory for the recordings of a node. A namespace gets at most a quarter, and may grow only while the
 * first three quarters have as much free memory as the namespace uses, so the next namespace always finds room. The
 * last quarter is for small recordings.
 */
export class NodeQuota {
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

  /** Reserves memory for a new recording, and frees the memory of an earlier recording with the same key. */
  begin(key: string): Quota {
    this.end(key)
    const namespace = key.slice(0, key.indexOf('/'))
    const room = new RecordingRoom((bytes, own) => this.#take(namespace, bytes, own))
    this.#byKey.set(key, room)
    return room
  }

  /** Frees the memory of the recording. */
  end(key: string): void {
    this.#byKey.get(key)?.close()
    this.#byKey.delete(key)
  }

  /**
   * Runs `work`, which restores stored recordings in any order. The recordings had room before, so only the limits of
   * the node and of a namespace apply.
   */
  restoring<T>(work: () => T): T {
    this.#restoring = true
    try {
      return work()
    } finally {
      this.#restoring = false
    }
  }

  /** @param own bytes that the recording already has; negative `bytes` are freed */
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

class RecordingRoom implements Quota {
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
