/**
 * A queue with classes. It takes the highest class first, and items of a class in order of arrival. A class that waited
 * while `maxPassed` items of higher classes were taken is overdue, and gets the next turn. If two classes are overdue,
 * the lower class comes first. After a turn for an overdue class, the next turn is for the highest class.
 */
export class ClassQueue<Class extends string, T> {
  #queues: { waiting: Set<T>; passedOver: number }[]
  #index: Map<Class, number>
  #maxPassed: number
  #size = 0
  #lastWasFavour = false

  constructor(classes: readonly Class[], maxPassed: number) {
    if (!(maxPassed >= 1)) throw new RangeError(`maxPassed must be 1 or more, not ${maxPassed}`)
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

  /** Removes an item, unless it was taken already. */
  delete(of: Class, item: T): void {
    const queue = this.#queueOf(of)
    if (!queue.waiting.delete(item)) return
    this.#size--
    if (queue.waiting.size === 0) queue.passedOver = 0
  }

  /** Takes the next item; undefined if the queue is empty. */
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

  /** Takes the first item of one class, even if higher classes wait; undefined if the class has no item. */
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
