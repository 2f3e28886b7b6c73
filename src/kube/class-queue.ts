/**
 * A queue with classes: the highest class first, within a class in the order of arrival. A class that was passed over
 * `patience` times while something waited in it gets the next turn, so that it is slowed down, and never stopped. Of two
 * such classes the lower one goes first: it has waited longer for the same count. Two turns in a row never go out of
 * order while a higher class waits: that one waits for one turn of a lower class at most, before each of its own.
 */
export class ClassQueue<Class extends string, T> {
  #queues: { waiting: Set<T>; passedOver: number }[]
  #index: Map<Class, number>
  #patience: number
  #size = 0
  #lastWasFavour = false

  constructor(classes: readonly Class[], patience: number) {
    if (!(patience >= 1)) throw new RangeError(`patience must be from 1, not ${patience}`)
    this.#queues = classes.map(() => ({ waiting: new Set(), passedOver: 0 }))
    this.#index = new Map(classes.map((name, index) => [name, index]))
    this.#patience = patience
  }

  get size(): number {
    return this.#size
  }

  add(of: Class, item: T): void {
    this.#queueOf(of).waiting.add(item)
    this.#size++
  }

  /** Takes back what was added and has not come out. */
  delete(of: Class, item: T): void {
    const queue = this.#queueOf(of)
    if (!queue.waiting.delete(item)) return
    this.#size--
    if (queue.waiting.size === 0) queue.passedOver = 0
  }

  /** Whose turn it is; undefined when nothing waits. */
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

  /** The first of one class, whoever else waits; undefined when nothing waits in it. */
  takeOf(of: Class): T | undefined {
    return this.#takeFrom(this.#queueOf(of))
  }

  #overdue(highest: number): number | undefined {
    if (this.#lastWasFavour) return undefined
    const index = this.#queues.findLastIndex(
      ({ waiting, passedOver }) => waiting.size > 0 && passedOver >= this.#patience,
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
