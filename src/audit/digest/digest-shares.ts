import type { Clock } from '../../base/clock.ts'

/** Milliseconds in which what a container has written counts for a third of what it did (1/e). */
const fading = 3_600_000
/** What each container may write, however many there are: one line with its numbers, and the first of a few kinds. */
const leastShare = 2_048
/** What is left of a container's bytes when it does not count as one that writes any more. */
const negligible = 64
/** Containers whose bytes are remembered. Beyond that, the container whose last line is the oldest is forgotten, and has its share again. */
export const mostContainers = 4_096

/** Its files turn over so often at most in the time of fading, whatever is reported. */
const parts = 16

/** What of the digest's files all containers may have written at a time. @param kept bytes that its old files have at least */
export const digestBytes = (kept: number): number => kept / parts

interface Used {
  bytes: number
  /** Milliseconds at which they were counted. */
  at: number
}

/**
 * How much each container may write into the digest, so that none takes the room of others in its files. What a container has written counts
 * less and less with time; it may write as long as that is within its share, which is an equal part of all for each container that writes.
 * A container that comes has its share at once, whatever others have written before.
 */
export class DigestShares {
  readonly #clock: Clock
  readonly #all: number
  readonly #used = new Map<string, Used>()

  /** @param all bytes that count, of all containers together */
  constructor(clock: Clock, all: number) {
    this.#clock = clock
    this.#all = all
  }

  /** Bytes that the container may write now. @param part of its share, the rest of which is kept for other lines */
  room(key: string, part = 1): number {
    const known = this.#used.get(key)
    const writing = this.#used.size + (known === undefined ? 1 : 0)
    const share = Math.max(leastShare, this.#all / writing)
    return Math.floor(share * part - (known === undefined ? 0 : this.#left(known)))
  }

  add(key: string, bytes: number): void {
    const known = this.#used.get(key)
    // The container that wrote last comes last.
    this.#used.delete(key)
    this.#used.set(key, { bytes: bytes + (known === undefined ? 0 : this.#left(known)), at: this.#clock.now() })
    if (this.#used.size > mostContainers) this.#used.delete(this.#used.keys().next().value!)
  }

  /** Forgets those that have not written for long. */
  sweep(): void {
    for (const [key, used] of this.#used) if (this.#left(used) < negligible) this.#used.delete(key)
  }

  #left({ bytes, at }: Used): number {
    return bytes * Math.exp((at - this.#clock.now()) / fading)
  }
}
