const SMALLEST = 16

/** A queue in a circular array: push and shift move no elements, and a full array doubles its size. */
export class Ring<Item> {
  private items: (Item | undefined)[] = new Array(SMALLEST).fill(undefined)
  private head = 0
  private count = 0

  get size(): number {
    return this.count
  }

  push(item: Item): void {
    if (this.count === this.items.length) this.grow()
    this.items[(this.head + this.count++) & (this.items.length - 1)] = item
  }

  /** Removes the oldest item; undefined if there is none. */
  shift(): Item | undefined {
    if (this.count === 0) return undefined
    const item = this.items[this.head]
    this.items[this.head] = undefined
    this.head = (this.head + 1) & (this.items.length - 1)
    this.count--
    return item
  }

  private grow(): void {
    const { length } = this.items
    const items = new Array<Item | undefined>(length * 2).fill(undefined)
    for (let i = 0; i < length; i++) items[i] = this.items[(this.head + i) & (length - 1)]
    this.items = items
    this.head = 0
  }
}
