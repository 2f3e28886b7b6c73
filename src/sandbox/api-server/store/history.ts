import { fewestKept } from './limits.ts'
import type { StoreEvent } from './store-event.ts'

/** The newest changes of one resource, oldest first, bounded. `floor` is the revision from which on it is complete. */
export class History {
  private events: StoreEvent[] = []
  private head = 0
  private floorRevision: number
  private readonly limit: number

  constructor(floor: number, limit: number) {
    this.floorRevision = floor
    this.limit = limit
  }

  /** Every change after this revision is here; a watch from an earlier one is too old. */
  get floor(): number {
    return this.floorRevision
  }

  append(event: StoreEvent): void {
    this.events.push(event)
    if (this.events.length - this.head > this.limit) this.dropOldest()
  }

  /** Forgets every change up to and including `revision`. */
  compact(revision: number): void {
    while (this.head < this.events.length && this.events[this.head]!.revision <= revision) this.head++
    this.floorRevision = Math.max(this.floorRevision, revision)
    this.tidy()
  }

  /** The changes after `revision`, oldest first. The caller has compared with `floor`. */
  after(revision: number): StoreEvent[] {
    return this.events.slice(this.indexAfter(revision))
  }

  private dropOldest(): void {
    this.floorRevision = this.events[this.head]!.revision
    this.head++
    this.tidy()
  }

  /** Moves the live part down only once half is dead, so that a change costs the same on average however long the history. */
  private tidy(): void {
    if (this.head < fewestKept || this.head * 2 < this.events.length) return
    this.events = this.events.slice(this.head)
    this.head = 0
  }

  private indexAfter(revision: number): number {
    let low = this.head
    let high = this.events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.events[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }
}
