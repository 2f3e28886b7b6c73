import type { Clock } from '../../base/clock.ts'

/** Milliseconds after which written bytes count only a third (1/e). */
const fading = 3_600_000
/**
 * Minimum share of a container, however many containers write. It has room for a line with counts, and for the first
 * lines of a few kinds.
 */
const leastShare = 2_048
/** A container whose counted bytes have fallen below this number is forgotten. */
const negligible = 64
/**
 * Maximum number of remembered containers. Beyond it, the container that has not written for longest is forgotten, and
 * has a full share again.
 */
export const maxContainers = 4_096

/**
 * The old files have room for this many times the counted bytes. So a flood needs about this many fading times to
 * replace the old files.
 */
const parts = 16

/** Maximum counted bytes of all containers in the digest. @param kept minimum bytes of the digest's old files */
export const digestBytes = (kept: number): number => kept / parts

interface Used {
  bytes: number
  /** Time of the last write, in milliseconds. */
  at: number
}

/**
 * Limits the bytes that each container writes into the digest, so that it cannot displace the lines of other
 * containers. A container may write while its counted bytes are within its share; written bytes count less over time.
 * All containers that write have equal shares, and a new container has its full share at once.
 */
export class DigestShares {
  readonly #clock: Clock
  readonly #all: number
  readonly #used = new Map<string, Used>()

  /** @param all maximum counted bytes of all containers together */
  constructor(clock: Clock, all: number) {
    this.#clock = clock
    this.#all = all
  }

  /**
   * Bytes that the container may write now.
   * @param part part of the share that these lines may use; the rest is for other lines
   */
  room(key: string, part = 1): number {
    const known = this.#used.get(key)
    const writing = this.#used.size + (known === undefined ? 1 : 0)
    const share = Math.max(leastShare, this.#all / writing)
    return Math.floor(share * part - (known === undefined ? 0 : this.#left(known)))
  }

  add(key: string, bytes: number): void {
    const known = this.#used.get(key)
    // Move the container to the end: the map is in the order of the last writes.
    this.#used.delete(key)
    this.#used.set(key, { bytes: bytes + (known === undefined ? 0 : this.#left(known)), at: this.#clock.now() })
    if (this.#used.size > maxContainers) this.#used.delete(this.#used.keys().next().value!)
  }

  /** Forgets containers that have not written for long. */
  sweep(): void {
    for (const [key, used] of this.#used) if (this.#left(used) < negligible) this.#used.delete(key)
  }

  #left({ bytes, at }: Used): number {
    return bytes * Math.exp((at - this.#clock.now()) / fading)
  }
}
