import type { KubeObject } from '../kube-object.ts'
import { lowerBound } from './object-table.ts'

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** One change of one object. For a deletion, `object` is the last state, with the deletion's revision. */
export interface StoreEvent {
  readonly revision: number
  readonly type: ChangeType
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

/** The newest changes of one resource, oldest first, up to a limit. */
export class History {
  private events: StoreEvent[] = []
  /** The revision after which the history is complete. A watch from an earlier revision is too old. */
  floor = 0
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /**
   * Adds a change. Cuts the history only when it exceeds the limit by a quarter, so that the average cost of a change
   * is constant.
   */
  append(event: StoreEvent): void {
    this.events.push(event)
    if (this.events.length <= 1.25 * this.limit) return
    this.compact(this.events[this.events.length - this.limit - 1]!.revision)
  }

  /** Drops all changes up to and including `revision`. */
  compact(revision: number): void {
    this.events = this.after(revision)
    this.floor = Math.max(this.floor, revision)
  }

  /** The changes after `revision`, oldest first. The caller must compare with `floor` first. */
  after(revision: number): StoreEvent[] {
    return this.events.slice(lowerBound(this.events, (event) => event.revision <= revision))
  }
}
