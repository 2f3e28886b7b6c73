/**
 * A queue with classes: the highest class first, within a class in the order of arrival. A class that was passed over
 * `patience` times while somebody waited in it gets the next turn, so that it is slowed down, and never stopped. Of two
 * such classes the lower one goes first: it has waited longer for the same count. Two turns in a row never go out of
 * order while a higher class waits: that one waits for one turn of a lower class at most, before each of its own.
 */
export class ClassQueue<Class extends string, T> {
  #lanes: { waiting: Set<T>; passedOver: number }[]
  #index: Map<Class, number>
  #patience: number
  #size = 0
  #lastWasFavour = false

  constructor(classes: readonly Class[], patience: number) {
    if (!(patience >= 1)) throw new RangeError(`patience must be from 1, not ${patience}`)
    this.#lanes = classes.map(() => ({ waiting: new Set(), passedOver: 0 }))
    this.#index = new Map(classes.map((name, index) => [name, index]))
    this.#patience = patience
  }

  get size(): number {
    return this.#size
  }

  add(of: Class, item: T): void {
    this.#lane(of).waiting.add(item)
    this.#size++
  }

  /** Takes back what was added and has not come out. */
  delete(of: Class, item: T): void {
    const lane = this.#lane(of)
    if (!lane.waiting.delete(item)) return
    this.#size--
    if (lane.waiting.size === 0) lane.passedOver = 0
  }

  /** Whose turn it is; undefined when nobody waits. */
  take(): T | undefined {
    const highest = this.#lanes.findIndex(({ waiting }) => waiting.size > 0)
    if (highest < 0) return undefined
    const chosen = this.#overdue(highest) ?? highest
    this.#lastWasFavour = chosen !== highest
    this.#lanes.forEach((lane, index) => {
      if (index > highest && index !== chosen && lane.waiting.size > 0) lane.passedOver++
    })
    return this.#takeFrom(this.#lanes[chosen]!)
  }

  /** The first of one class, whoever else waits; undefined when nobody waits in it. */
  takeOf(of: Class): T | undefined {
    return this.#takeFrom(this.#lane(of))
  }

  #overdue(highest: number): number | undefined {
    if (this.#lastWasFavour) return undefined
    const index = this.#lanes.findLastIndex(
      ({ waiting, passedOver }) => waiting.size > 0 && passedOver >= this.#patience,
    )
    return index > highest ? index : undefined
  }

  #takeFrom(lane: { waiting: Set<T>; passedOver: number }): T | undefined {
    lane.passedOver = 0
    for (const item of lane.waiting) {
      lane.waiting.delete(item)
      this.#size--
      return item
    }
    return undefined
  }

  #lane(of: Class) {
    return this.#lanes[this.#index.get(of)!]!
  }
}
