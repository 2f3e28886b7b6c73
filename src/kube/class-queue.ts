/**
 * A queue with classes: the highest class first, in order of arrival within a class. A class that was passed over
 * `maxPassed` times while something waited in it gets the next turn, so it is slowed, but never blocked. Of two such
 * classes the lower one goes first: it has waited longer for the same count. Two consecutive turns never go out of
 * order while a higher class waits: it waits for at most one turn of a lower class before each of its own.
 */
export class ClassQueue<Class extends string, T> {
  #queues: { waiting: Set<T>; passedOver: number }[]
  #index: Map<Class, number>
  #maxPassed: number
  #size = 0
  #lastWasFavour = false

  constructor(classes: readonly Class[], maxPassed: number) {
    if (!(maxPassed >= 1)) throw new RangeError(`maxPassed must be from 1, not ${maxPassed}`)
    this.#queues = classes.map(() => ({ waiting: new Set(), passedOver: 0 }))
    this.#index = new Map(classes.map((name, index) => [name, index]))
    this.#maxPassed = maxPassed
  }

  get size(): number {
    return this.#size
  }

  add(of: Class, item: T): void {
    this.#queueOf(of).waiting.add(item)
    this.#size++
  }

  /** Removes an added item that has not been taken. */
  delete(of: Class, item: T): void {
    const queue = this.#queueOf(of)
    if (!queue.waiting.delete(item)) return
    this.#size--
    if (queue.waiting.size === 0) queue.passedOver = 0
  }

  /** Takes the next item; undefined if none waits. */
  take(): T | undefined {
    const highest = this.#queues.findIndex(({ waiting }) => waiting.size > 0)
    if (highest < 0) return undefined
    const chosen = this.#overdue(highest) ?? highest
    this.#lastWasFavour = chosen !== highest
    this.#queues.forEach((queue, index) => {
      if (index > highest && index !== chosen && queue.waiting.size > 0) queue.passedOver++
    })
    return this.#takeFrom(this.#queues[chosen]!)
  }

  /** Takes the first item of one class, whatever else waits; undefined if none waits in it. */
  takeOf(of: Class): T | undefined {
    return this.#takeFrom(this.#queueOf(of))
  }

  #overdue(highest: number): number | undefined {
    if (this.#lastWasFavour) return undefined
    const index = this.#queues.findLastIndex(
      ({ waiting, passedOver }) => waiting.size > 0 && passedOver >= this.#maxPassed,
    )
    return index > highest ? index : undefined
  }

  #takeFrom(queue: { waiting: Set<T>; passedOver: number }): T | undefined {
    queue.passedOver = 0
    for (const item of queue.waiting) {
      queue.waiting.delete(item)
      this.#size--
      return item
    }
    return undefined
  }

  #queueOf(of: Class) {
    return this.#queues[this.#index.get(of)!]!
  }
}
