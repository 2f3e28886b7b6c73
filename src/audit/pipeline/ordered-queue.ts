/** A batch in progress. Its position may be stored when nothing of the batch is open. */
export interface InFlightBatch {
  position: unknown
  /** When it was read from its source, by the monotonic clock. */
  since: number
  /** Number of results, offers and deferred groups that are not settled yet. */
  open: number
  /** Whether some of its lines could not be written, so that its records must be read again. */
  lost: boolean
  /** Called when the batch counts as reached. Before that, the batch may be read again, and counts would be doubled. */
  onReached: (() => void)[]
}

/**
 * Keeps the batches of one source in order, and passes on their results in this order. A position counts as reached
 * when everything before it is in the log.
 */
export class OrderedQueue {
  #tail: Promise<void> = Promise.resolve()
  #inFlight: InFlightBatch[] = []
  #reached: unknown
  #stored: unknown
  #broken = false

  /** Number of this source's unfinished batches. */
  get depth(): number {
    return this.#inFlight.length
  }

  /** When the oldest unfinished batch was read. */
  get oldest(): number | undefined {
    return this.#inFlight[0]?.since
  }

  /** The reached position, if it is not stored yet. */
  get reached(): unknown {
    return this.#reached === this.#stored ? undefined : this.#reached
  }

  /** The reached position, stored or not; undefined if no position is reached yet. */
  get place(): unknown {
    return this.#reached
  }

  stored(position: unknown): void {
    this.#stored = position
  }

  /** Adds a batch that was sent to the workers. Its result counts as one open item. */
  enter(position: unknown, since: number): InFlightBatch {
    const inFlight: InFlightBatch = { position, since, open: 1, lost: false, onReached: [] }
    this.#inFlight.push(inFlight)
    return inFlight
  }

  /**
   * Calls back when all current batches are reached: at once if there are no batches, never if a batch must be read
   * again.
   */
  whenReached(then: () => void): void {
    const last = this.#inFlight.at(-1)
    if (last !== undefined) last.onReached.push(then)
    else if (!this.#broken) then()
  }

  /** Runs `step` with the result of `work`, after the steps of all earlier work. */
  inOrder<T>(work: Promise<T>, step: (result: T) => void): Promise<void> {
    this.#tail = this.#tail.then(async () => step(await work))
    return this.#tail
  }

  /** Settles one open item of a batch. */
  settle(inFlight: InFlightBatch): void {
    inFlight.open--
    while (this.#inFlight[0]?.open === 0) {
      const { position, lost, onReached } = this.#inFlight.shift()!
      // After a loss, later positions do not count as reached, so that a restart reads the lost records again.
      this.#broken ||= lost
      if (this.#broken) continue
      if (position !== undefined) this.#reached = position
      for (const reached of onReached) reached()
    }
  }
}
