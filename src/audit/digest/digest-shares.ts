import type { Clock } from '../../base/clock.ts'

/** Milliseconds after which a container's written bytes count for a third (1/e). */
const fading = 3_600_000
/**
 * Minimum share of a container, for any number of containers. A line with its counts and the first lines of a few kinds
 * fit.
 */
const leastShare = 2_048
/** A container with fewer counted bytes is forgotten: it no longer writes. */
const negligible = 64
/**
 * Maximum number of remembered containers. Beyond it, the container with the oldest last line is forgotten and gets a
 * full share again.
 */
export const maxContainers = 4_096

/**
 * The counted bytes fit this many times into the old files, so one flood takes about as many fading times to replace
 * them.
 */
const parts = 16

/** Maximum counted bytes of all containers in the digest. @param kept minimum bytes of the digest's old files */
export const digestBytes = (kept: number): number => kept / parts

interface Used {
  bytes: number
  /** Milliseconds of the last count. */
  at: number
}

/**
 * How much each container may write into the digest, so that it cannot displace other containers' lines. Written bytes
 * count less over time. A container may write while its counted bytes are within its share. All containers that write
 * have equal shares, and a new container has its full share at once.
 */
export class DigestShares {
  readonly #clock: Clock
  readonly #all: number
  readonly #used = new Map<string, Used>()

  /** @param all counted bytes of all containers together */
  constructor(clock: Clock, all: number) {
    this.#clock = clock
    this.#all = all
  }

  /**
   * Bytes that the container may write now. @param part part of its share that it may use; the rest is for other lines
   */
  room(key: string, part = 1): number {
    const known = this.#used.get(key)
    const writing = this.#used.size + (known === undefined ? 1 : 0)
    const share = Math.max(leastShare, this.#all / writing)
    return Math.floor(share * part - (known === undefined ? 0 : this.#left(known)))
  }

  add(key: string, bytes: number): void {
    const known = this.#used.get(key)
    // Keep the order of the last writes.
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
