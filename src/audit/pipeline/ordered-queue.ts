/** One batch of a source on its way, and what still has to happen before its position may be stored. */
export interface InFlightBatch {
  position: unknown
  /** When it was read from its source, by the monotonic clock. */
  since: number
  /** Results, offers and deferred groups that are not settled yet. */
  open: number
  /** Some of its lines could not be written and have to be read again. */
  lost: boolean
  /** What becomes certain once it is reached: if it is read again, these are counted again. */
  onReached: (() => void)[]
}

/**
 * The order of one source: results are handed on in the order of the batches, and a position counts as reached only
 * when everything up to it has reached the log.
 */
export class OrderedQueue {
  #tail: Promise<void> = Promise.resolve()
  #inFlight: InFlightBatch[] = []
  #reached: unknown
  #stored: unknown
  #broken = false

  /** The batches of this source that are not done. */
  get depth(): number {
    return this.#inFlight.length
  }

  /** Since when the oldest of them is on its way. */
  get oldest(): number | undefined {
    return this.#inFlight[0]?.since
  }

  /** The position that is reached and not yet stored. */
  get reached(): unknown {
    return this.#reached === this.#stored ? undefined : this.#reached
  }

  /** The position that is reached, stored or not; undefined where none is reached yet. */
  get place(): unknown {
    return this.#reached
  }

  stored(position: unknown): void {
    this.#stored = position
  }

  /** A batch was sent to the workers; its result is still open. */
  enter(position: unknown, since: number): InFlightBatch {
    const inFlight: InFlightBatch = { position, since, open: 1, lost: false, onReached: [] }
    this.#inFlight.push(inFlight)
    return inFlight
  }

  /** Calls back when all batches that came in so far are reached: at once if none is open, never if one of them has to be read again. */
  whenReached(then: () => void): void {
    const last = this.#inFlight.at(-1)
    if (last !== undefined) last.onReached.push(then)
    else if (!this.#broken) then()
  }

  /** Runs `step` with the result of `work`, after the steps of all work that was queued before. */
  inOrder<T>(work: Promise<T>, step: (result: T) => void): Promise<void> {
    this.#tail = this.#tail.then(async () => step(await work))
    return this.#tail
  }

  /** One of the open things of a batch is settled. */
  settle(inFlight: InFlightBatch): void {
    inFlight.open--
    while (this.#inFlight[0]?.open === 0) {
      const { position, lost, onReached } = this.#inFlight.shift()!
      // Behind a loss nothing counts as reached: a restart reads from there.
      this.#broken ||= lost
      if (this.#broken) continue
      if (position !== undefined) this.#reached = position
      for (const reached of onReached) reached()
    }
  }
}
